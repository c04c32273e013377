import { contentTypes, headers as headerNames, topics } from "../../domain/topics.ts";
import type { WrittenRecord } from "./backend.ts";

/** An output as its topic has it. */
export interface RawOutput {
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** A JSON output, parsed, with the topic that it went to. */
export interface DriverOutput {
  readonly topic: string;
  readonly key: string;
  readonly value: Record<string, unknown>;
  readonly headers: Readonly<Record<string, string>>;
}

/** A record that the pipeline could not process. */
export interface DeadLetter {
  /** The header `error-code`. */
  readonly code: string;
  /** Offset of the record in the input. */
  readonly offset: number;
  readonly key: string;
  /** The value as it came. */
  readonly value: Uint8Array | null;
}

/**
 * The outputs of one call, topic by topic in the order of their names. Kafka does not tell the order among topics, so
 * no driver does. Within a topic they stay in the order of production.
 */
export function inTopicOrder(written: readonly WrittenRecord[]): RawOutput[] {
  const byTopic = Map.groupBy(written, ({ topic }) => topic);
  return [...byTopic.keys()].sort().flatMap((topic) =>
    byTopic.get(topic)!.map(({ key, value, headers }) => ({
      topic,
      key: bufferOf(key),
      value: bufferOf(value),
      headers,
    })),
  );
}

/** Whether an output is JSON in one of the pipeline's own topics. */
export function isJson({ topic, headers }: RawOutput): boolean {
  return topic !== topics.deadLetter.name && headers[headerNames.contentType] === contentTypes.json;
}

export function parseOutput({ topic, key, value, headers }: RawOutput): DriverOutput {
  return { topic, key: textOf(key), value: JSON.parse(textOf(value)) as Record<string, unknown>, headers };
}

export function parseDeadLetter({ key, value, headers }: RawOutput): DeadLetter {
  return {
    code: headers[headerNames.errorCode]!,
    offset: Number(headers[headerNames.sourceOffset]),
    key: textOf(key),
    value,
  };
}

function bufferOf(bytes: Uint8Array | string | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes as Uint8Array);
}

function textOf(bytes: Buffer | null): string {
  return bytes === null ? "" : bytes.toString("utf8");
}
