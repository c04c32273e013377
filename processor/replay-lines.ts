import type { InputRecord, OutputRecord } from "./path/machine.ts";
import { contentTypes, headers as headerNames } from "../domain/topics.ts";
import { MillraceError } from "../domain/errors.ts";
import { z } from "zod";

/** One Kafka record as a line of NDJSON: what `dump` writes and `replay` reads. */
const inputLine = z.object({
  key: z.string().nullable().optional(),
  keyBase64: z.string().optional(),
  timestamp: z.number(),
  value: z.unknown().optional(),
  valueBase64: z.string().optional(),
  partition: z.int().min(0).optional(),
  offset: z.int().min(0).optional(),
  headers: z.record(z.string(), z.string()).optional(),
});

/** Reads input lines into records; offsets are counted per partition where they are not given. */
export class InputLines {
  readonly #next = new Map<number, number>();
  #line = 0;

  /**
   * @throws MillraceError `arguments-invalid` naming the line and what is wrong with it.
   */
  read(text: string): InputRecord {
    this.#line++;
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch (error) {
      throw this.#invalid(`is not JSON: ${(error as Error).message}`, text);
    }
    const parsed = inputLine.safeParse(json);
    if (!parsed.success) throw this.#invalid(parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; "), text);
    const line = parsed.data;
    const partition = line.partition ?? 0;
    const offset = line.offset ?? this.#next.get(partition) ?? 0;
    if (offset < (this.#next.get(partition) ?? 0)) throw this.#invalid(`has offset ${offset} behind ${this.#next.get(partition)! - 1} in partition ${partition}: records must come in offset order`, text);
    this.#next.set(partition, offset + 1);
    return { partition, offset, timestamp: line.timestamp, key: keyOf(line), value: valueOf(line), headers: line.headers ?? {} };
  }

  #invalid(what: string, text: string): MillraceError {
    return new MillraceError("arguments-invalid", `input line ${this.#line} ${what} (${text.slice(0, 200)}). Expected is one Kafka record a line: {"key":…,"timestamp":…,"value":…}`);
  }
}

function keyOf(line: z.infer<typeof inputLine>): Uint8Array | null {
  if (line.keyBase64 !== undefined) return Buffer.from(line.keyBase64, "base64");
  return line.key == null ? null : Buffer.from(line.key);
}

function valueOf(line: z.infer<typeof inputLine>): Uint8Array | null {
  if (line.valueBase64 !== undefined) return Buffer.from(line.valueBase64, "base64");
  return line.value == null ? null : Buffer.from(JSON.stringify(line.value));
}

/** A record's key as fields of a line: text when the bytes are UTF-8, base64 otherwise. */
export function keyFields(key: Uint8Array | string | null): { key: string | null } | { keyBase64: string } {
  if (key === null || typeof key === "string") return { key };
  const text = Buffer.from(key).toString("utf8");
  return Buffer.from(text).equals(key) ? { key: text } : { keyBase64: Buffer.from(key).toString("base64") };
}

/**
 * A record's value as a JSON field, `"value":…` or `"valueBase64":"…"`: as JSON only when reading and writing it
 * again gives the same bytes.
 */
export function valueField(value: Uint8Array | null): string {
  if (value === null) return `"value":null`;
  const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("utf8");
  return isCanonicalJson(text, value) ? `"value":${text}` : `"valueBase64":"${Buffer.from(value).toString("base64")}"`;
}

function isCanonicalJson(text: string, value: Uint8Array): boolean {
  if (text === "null") return false;
  try {
    return JSON.stringify(JSON.parse(text)) === text && Buffer.byteLength(text) === value.length && Buffer.from(text).equals(value);
  } catch {
    return false;
  }
}

/** An output record as a line: `{"topic","key","value","headers"}`. */
export function outputLine({ topic, key, value, headers }: OutputRecord): string {
  const ours = headers[headerNames.contentType] === contentTypes.json && headers[headerNames.errorCode] === undefined;
  const field = ours ? `"value":${Buffer.from(value!).toString("utf8")}` : valueField(value);
  return `{"topic":${JSON.stringify(topic)},${JSON.stringify(keyFields(key)).slice(1, -1)},${field},"headers":${JSON.stringify(headers)}}`;
}
