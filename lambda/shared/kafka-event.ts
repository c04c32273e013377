import middy from "@middy/core";
import type { MSKEvent, MSKRecord } from "aws-lambda";
import type { z } from "zod";
import type { Logger } from "../../adapters/log.ts";
import type { BatchResponse } from "../../domain/api.ts";
import { textHeaders, type RecordHeaders } from "../../domain/record-headers.ts";
import { headers as headerNames } from "../../domain/topics.ts";
import { traceIdOf } from "../../domain/traceparent.ts";

/** A Kafka record of an MSK event. */
export interface KafkaRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Epoch ms. */
  readonly timestamp: number;
  /** Key and value in base64, as the event has them; null where the record has none. */
  readonly keyBase64: string | null;
  readonly valueBase64: string | null;
  /** The key as UTF-8 text. */
  readonly key: string | null;
  readonly keyBytes: Buffer | null;
  readonly value: Buffer | null;
  /** Header values as text, see `textHeaders`. */
  readonly headers: Readonly<Record<string, string>>;
  readonly recordHeaders: RecordHeaders;
}

/** A record whose bytes are decoded when they are asked for, and each time that they are. */
class EventRecord implements KafkaRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly keyBase64: string | null;
  readonly valueBase64: string | null;
  readonly #headers: MSKRecord["headers"];

  constructor({ topic, partition, offset, timestamp, key, value, headers }: MSKRecord) {
    this.topic = topic;
    this.partition = partition;
    this.offset = offset;
    this.timestamp = timestamp;
    // Lambda omits a key or value that the record does not have, or gives null for it.
    this.keyBase64 = key ?? null;
    this.valueBase64 = value ?? null;
    this.#headers = headers;
  }

  get key(): string | null {
    return this.keyBytes?.toString("utf8") ?? null;
  }

  get keyBytes(): Buffer | null {
    return this.keyBase64 === null ? null : Buffer.from(this.keyBase64, "base64");
  }

  get value(): Buffer | null {
    return this.valueBase64 === null ? null : Buffer.from(this.valueBase64, "base64");
  }

  get headers(): Readonly<Record<string, string>> {
    return textHeaders(this.recordHeaders);
  }

  get recordHeaders(): RecordHeaders {
    return (this.#headers ?? []).flatMap(headersOf);
  }
}

/** A function behind a Kafka event source. */
export type BatchHandler = (event: MSKEvent) => Promise<BatchResponse>;

/** All records of an event, each partition's in offset order. */
export function recordsOf(event: Pick<MSKEvent, "records">): KafkaRecord[] {
  return Object.values(event.records).flatMap((ofPartition) => ofPartition.map((record) => new EventRecord(record)));
}

/** Lambda gives each header as an object of its own, with the value's bytes as numbers. */
function headersOf(header: Readonly<Record<string, readonly number[] | null>>): RecordHeaders {
  return Object.entries(header).map(([name, value]) => [name, value === null ? null : Buffer.from(value)] as const);
}

/** How a log line names a record. */
export function placeOf({ topic, partition, offset, headers }: KafkaRecord): Readonly<Record<string, unknown>> {
  return { topic, partition, offset, traceId: traceIdOf(headers[headerNames.traceparent]) };
}

/** The answer after which the failed records, and those behind them in their partitions, are delivered again. */
export function batchResponse(failed: Iterable<KafkaRecord>): BatchResponse {
  const resume = new Map<string, number>();
  for (const { topic, partition, offset } of failed) {
    const name = `${topic}-${partition}`;
    resume.set(name, Math.min(resume.get(name) ?? offset, offset));
  }
  return { batchItemFailures: [...resume].map(([partition, offset]) => ({ itemIdentifier: { partition, offset } })) };
}

/**
 * A function behind a Kafka event source. `handle` returns the records that failed. When it throws, the function fails
 * and the event source delivers the whole batch again.
 */
export function batchFunction(
  log: Logger,
  handle: (records: readonly KafkaRecord[]) => Promise<Iterable<KafkaRecord>>,
): BatchHandler {
  const handler = middy<MSKEvent, BatchResponse>()
    .use({
      after: (request) => {
        const failed = request.response?.batchItemFailures ?? [];
        if (failed.length > 0) log.warn({ failed }, "part of a batch failed and will be delivered again");
      },
      onError: (request) => log.warn({ err: request.error }, "batch failed and will be delivered again"),
    })
    .handler(async (event: MSKEvent) => batchResponse(await handle(recordsOf(event))));
  return handler as unknown as BatchHandler;
}

/**
 * Gives each record to `take`. One for which it throws is logged.
 *
 * @returns Records that can't be read. The handler must return them as failed: they are tried again, for a function
 *   that is deployed meanwhile may read them, and then go to the on-failure destination
 */
export function takeRecords(
  records: readonly KafkaRecord[],
  take: (record: KafkaRecord) => void,
  log: Logger,
): KafkaRecord[] {
  const refused: KafkaRecord[] = [];
  for (const record of records) {
    try {
      take(record);
    } catch (error) {
      log.error({ err: error, ...placeOf(record) }, "record can't be read");
      refused.push(record);
    }
  }
  return refused;
}

/** A record and what was read from it. */
export interface Read<T> {
  readonly record: KafkaRecord;
  readonly value: T;
}

/** What was read of an event's records. */
export interface ReadRecords<T> {
  readonly taken: readonly Read<T>[];
  /** Records that can't be read, see `takeRecords`. */
  readonly refused: readonly KafkaRecord[];
}

/** Reads records whose value is JSON of a schema. A record without a value is left out. */
export function parseRecords<T>(records: readonly KafkaRecord[], schema: z.ZodType<T>, log: Logger): ReadRecords<T> {
  const taken: Read<T>[] = [];
  const take = (record: KafkaRecord): void => {
    const value = parseValue(record, schema);
    if (value !== null) taken.push({ record, value });
  };
  return { refused: takeRecords(records, take, log), taken };
}

/**
 * The value of a record as its schema gives it; null when the record has none.
 *
 * @throws SyntaxError when the value is not JSON, ZodError when it does not follow the schema
 */
export function parseValue<T>(record: KafkaRecord, schema: z.ZodType<T>): T | null {
  const { value } = record;
  return value === null ? null : schema.parse(JSON.parse(value.toString("utf8")));
}
