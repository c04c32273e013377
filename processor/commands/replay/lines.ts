import { z } from "zod";
import { MillraceError } from "../../../domain/errors.ts";
import { textHeaders, utf8Text, type RecordHeaders } from "../../../domain/record-headers.ts";
import { contentTypes, headers as headerNames } from "../../../domain/topics.ts";
import type { KnownRecord, OutputRecord } from "../../runtime/machine.ts";

/** A header's value: text, null, or bytes that are no UTF-8. */
const headerValue = z.union([z.string(), z.null(), z.strictObject({ base64: z.string() })]);
/** Headers by name, or in order as pairs. */
const lineHeaders = z.union([z.record(z.string(), headerValue), z.array(z.tuple([z.string(), headerValue]))]);
type HeaderValue = z.infer<typeof headerValue>;

/** One Kafka record as a line of NDJSON: what `dump` writes and `replay` reads. */
const inputLine = z.object({
  key: z.string().nullish(),
  keyBase64: z.string().nullish(),
  timestamp: z.number(),
  value: z.unknown().optional(),
  valueBase64: z.string().nullish(),
  partition: z.int().min(0).nullish(),
  offset: z.int().min(0).nullish(),
  headers: lineHeaders.nullish(),
  /** Where our own code failed in this record's step, or why its model was refused. */
  failed: z.array(z.strictObject({ key: z.string().nullable(), message: z.string() })).nullish(),
});
const BYTE_ORDER_MARK = "\ufeff";

/** Reads input lines into records; offsets are counted per partition where they are not given. */
export class InputLines {
  readonly #next = new Map<number, number>();
  #line = 0;

  /** @throws MillraceError `arguments-invalid` naming the line and what is wrong with it. */
  read(line: string): KnownRecord {
    this.#line++;
    const text = this.#line === 1 && line.startsWith(BYTE_ORDER_MARK) ? line.slice(1) : line;
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch (error) {
      throw this.#invalid(`is not JSON: ${(error as Error).message}`, text);
    }
    const parsed = inputLine.safeParse(json);
    if (!parsed.success)
      throw this.#invalid(
        parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; "),
        text,
      );
    const given = parsed.data;
    const partition = given.partition ?? 0;
    const offset = given.offset ?? this.#next.get(partition) ?? 0;
    if (offset < (this.#next.get(partition) ?? 0))
      throw this.#invalid(
        `has offset ${offset} behind ${this.#next.get(partition)! - 1} in partition ${partition}: ` +
          "records must come in offset order",
        text,
      );
    this.#next.set(partition, offset + 1);
    return {
      partition,
      offset,
      timestamp: given.timestamp,
      key: keyOf(given),
      value: valueOf(given, text),
      headers: textHeaders(headersOf(given.headers ?? [])),
      ...(given.failed ? { failed: given.failed.map((failure) => ({ ...failure, offset })) } : {}),
    };
  }

  #invalid(what: string, text: string): MillraceError {
    return new MillraceError(
      "arguments-invalid",
      `input line ${this.#line} ${what} (${text.slice(0, 200)}). ` +
        'Expected is one Kafka record a line: {"key":…,"timestamp":…,"value":…}',
    );
  }
}

function keyOf(line: z.infer<typeof inputLine>): Uint8Array | null {
  if (line.keyBase64 != null) return Buffer.from(line.keyBase64, "base64");
  return line.key == null ? null : Buffer.from(line.key);
}

function headersOf(headers: z.infer<typeof lineHeaders>): RecordHeaders {
  const pairs = Array.isArray(headers) ? headers : Object.entries(headers);
  return pairs.map(([name, value]) => [name, bytesOf(value)]);
}

function bytesOf(value: HeaderValue): Uint8Array | null {
  if (value === null) return null;
  return typeof value === "string" ? Buffer.from(value) : Buffer.from(value.base64, "base64");
}

/** The payload is the text of the line, byte for byte: parsing and printing it could change a number. */
function valueOf({ value, valueBase64 }: z.infer<typeof inputLine>, text: string): Uint8Array | null {
  if (valueBase64 != null) return Buffer.from(valueBase64, "base64");
  return value == null ? null : Buffer.from(memberText(text, "value"));
}

/** The text of a member that a JSON object is known to have. Of several it is the last, as in JSON.parse. */
function memberText(json: string, name: string): string {
  let text = "";
  let at = skipSpace(json, 0);
  do {
    const nameAt = skipSpace(json, at + 1); // behind the brace or comma
    const nameEnd = valueEnd(json, nameAt);
    const from = skipSpace(json, skipSpace(json, nameEnd) + 1); // behind the colon
    const to = valueEnd(json, from);
    if (JSON.parse(json.slice(nameAt, nameEnd)) === name) text = json.slice(from, to);
    at = skipSpace(json, to);
  } while (json[at] === ",");
  return text;
}

function skipSpace(json: string, from: number): number {
  let at = from;
  while (" \t\n\r".includes(json[at] ?? "x")) at++;
  return at;
}

/** Where the value that starts at `from` ends, in JSON that is well-formed. */
function valueEnd(json: string, from: number): number {
  let depth = 0;
  for (let at = from; at < json.length; at++) {
    const c = json[at]!;
    if (c === '"') {
      for (at++; json[at] !== '"'; at++) if (json[at] === "\\") at++;
      if (depth === 0) return at + 1;
    } else if (c === "{" || c === "[") depth++;
    else if (c === "}" || c === "]") {
      if (depth === 0) return at; // of the object around a number or a word
      if (--depth === 0) return at + 1;
    } else if (depth === 0 && (c === "," || skipSpace(json, at) > at)) return at;
  }
  return json.length;
}

/** A record's key as fields of a line: text when the bytes are UTF-8, base64 otherwise. */
export function keyFields(key: Uint8Array | string | null): { key: string | null } | { keyBase64: string } {
  if (key === null || typeof key === "string") return { key };
  const text = Buffer.from(key).toString("utf8");
  return Buffer.from(text).equals(key) ? { key: text } : { keyBase64: Buffer.from(key).toString("base64") };
}

/**
 * A record's headers as the field of a line: an object where that says all, otherwise pairs in order. An object can't
 * repeat a name, and puts those that look like numbers first.
 */
export function headersField(headers: RecordHeaders): string {
  const pairs = headers.map(([name, value]) => [name, headerValueOf(value)] as const);
  const byName = Object.fromEntries(pairs);
  const same = Object.keys(byName).every((name, i) => name === pairs[i]?.[0] && name !== "__proto__");
  return `"headers":${JSON.stringify(same && Object.keys(byName).length === pairs.length ? byName : pairs)}`;
}

function headerValueOf(value: Uint8Array | null): HeaderValue {
  if (value === null) return null;
  return utf8Text(value) ?? { base64: Buffer.from(value).toString("base64") };
}

/** Characters that JSON allows and that some readers take for an end of line. */
const LINE_ENDS = /[\n\r\u0085\u2028\u2029]/g;

/** Escapes line ends in JSON that has them in strings alone. */
export function inOneLine(json: string): string {
  return json.replace(LINE_ENDS, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/**
 * A record's value as a JSON field: `"value":` with the very bytes when they are JSON that fits a line, otherwise
 * `"valueBase64"`.
 */
export function valueField(value: Uint8Array | null): string {
  if (value === null) return `"value":null`;
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const text = bytes.toString("utf8");
  return isJsonInLine(text) && Buffer.from(text).equals(bytes)
    ? `"value":${text}`
    : `"valueBase64":"${bytes.toString("base64")}"`;
}

/** The text `null` would be read as no value, and space around a value as the line's. */
function isJsonInLine(text: string): boolean {
  if (text === "null" || text.trim() !== text || text.search(LINE_ENDS) >= 0) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** An output record as a line: `{"topic","key","value","headers"}`. */
export function outputLine({ topic, key, value, headers }: OutputRecord): string {
  const ours = headers[headerNames.contentType] === contentTypes.json && headers[headerNames.errorCode] === undefined;
  const field = ours ? `"value":${Buffer.from(value!).toString("utf8")}` : valueField(value);
  const keyPart = JSON.stringify(keyFields(key)).slice(1, -1);
  const line = `{"topic":${JSON.stringify(topic)},${keyPart},${field},"headers":${JSON.stringify(headers)}}`;
  return inOneLine(line);
}
