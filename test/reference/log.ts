import { topics } from "../../domain/topics.ts";

/** One record of an input partition, as the reference and the product are both given it. */
export interface LogRecord {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: string | null;
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** One output in the order of production; `value` is the parsed JSON, or the bytes where they are not JSON. */
export interface Output {
  readonly topic: string;
  readonly key: string | null;
  readonly value: unknown;
  readonly headers: Readonly<Record<string, string>>;
}

/** What a run over a whole log gives. */
export interface Run {
  readonly outputs: readonly Output[];
  /** Messages that were dropped as seen before; undefined where nobody counts them. */
  readonly duplicates: number | undefined;
}

/** Readings of a message that passed validation. */
export interface Message {
  readonly sensorId: string;
  readonly seq: number;
  readonly boot: string | undefined;
  readonly t: readonly number[];
  readonly samples: readonly (readonly number[])[];
}

/** One line of `replay`'s input file; JSON as JSON where that says the same. */
export function replayLine(record: LogRecord): string {
  const { partition, offset, timestamp, key, headers, value } = record;
  const text = value === null ? "null" : Buffer.from(value).toString("utf8");
  // Bytes that are no UTF-8 become other text: only what comes back as the same bytes is written as JSON.
  const isText = value === null || (text !== "null" && Buffer.from(text).equals(value));
  const field =
    isText && isPlainJson(text)
      ? { value: JSON.parse(text) as unknown }
      : { valueBase64: Buffer.from(value!).toString("base64") };
  return JSON.stringify({ key, timestamp, partition, offset, headers, ...field });
}

function isPlainJson(text: string): boolean {
  try {
    return JSON.stringify(JSON.parse(text)) === text;
  } catch {
    return false;
  }
}

/**
 * What stands before and behind the value of a line of `replay`'s output: in the key's string quotes are escaped, and
 * nothing in the headers is an object.
 */
const VALUE = ',"value":';
const HEADERS = ',"headers":{';

/** One line of `replay`'s output. */
export function readReplayLine(text: string): Output {
  const { topic, key, headers, value, valueBase64 } = JSON.parse(text) as Output & { valueBase64?: string };
  if (topic !== topics.deadLetter.name) return { topic, key, headers, value };
  if (valueBase64 !== undefined) return { topic, key, headers, value: Buffer.from(valueBase64, "base64") };
  // A source value that was the text "null" comes in base64; `null` itself is no value. Any other is what stands in the line: parsed and written again, 2^53 + 1 would be 2^53.
  return {
    topic,
    key,
    headers,
    value:
      value === null ? null : Buffer.from(text.slice(text.indexOf(VALUE) + VALUE.length, text.lastIndexOf(HEADERS))),
  };
}
