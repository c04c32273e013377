import { topics } from "../../domain/topics.ts";

/** One record of an input partition: the input of the reference and of the product. */
export interface LogRecord {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: string | null;
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** One output. `value` is the parsed JSON, or the bytes of a dead letter. */
export interface Output {
  readonly topic: string;
  readonly key: string | null;
  readonly value: unknown;
  readonly headers: Readonly<Record<string, string>>;
}

/** The result of a run over a whole log. */
export interface Run {
  readonly outputs: readonly Output[];
  /** Messages dropped as duplicates; undefined where they are not counted. */
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

/** One line of `replay`'s input file. The value is written as JSON where reading it gives the same bytes. */
export function replayLine(record: LogRecord): string {
  const { partition, offset, timestamp, key, headers, value } = record;
  const text = value === null ? "null" : Buffer.from(value).toString("utf8");
  // Bytes that are not UTF-8 decode to other text.
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
 * The text before and after the value in a line of `replay`'s output. It is unambiguous: quotes in the key are escaped,
 * and no header is an object.
 */
const VALUE = ',"value":';
const HEADERS = ',"headers":{';

/** One line of `replay`'s output. */
export function readReplayLine(text: string): Output {
  const { topic, key, headers, value, valueBase64 } = JSON.parse(text) as Output & { valueBase64?: string };
  if (topic !== topics.deadLetter.name) return { topic, key, headers, value };
  if (valueBase64 !== undefined) return { topic, key, headers, value: Buffer.from(valueBase64, "base64") };
  // The source's value is cut out of the line: parsed and written again, 2^53 + 1 would become 2^53. `null` means that
  // there was no value; the text "null" comes in base64.
  return {
    topic,
    key,
    headers,
    value:
      value === null ? null : Buffer.from(text.slice(text.indexOf(VALUE) + VALUE.length, text.lastIndexOf(HEADERS))),
  };
}
