import middy from "@middy/core";
import type { MSKEvent } from "aws-lambda";
import type { z } from "zod";
import type { Logger } from "../../adapters/log.ts";
import type { BatchResponse } from "../../domain/api.ts";
import { textHeaders, type RecordHeaders } from "../../domain/record-headers.ts";
import { headers as headerNames } from "../../domain/topics.ts";
import { traceIdOf } from "../../domain/traceparent.ts";

/** A Kafka record of an MSK event, decoded. */
export interface KafkaRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Epoch ms. */
  readonly timestamp: number;
  /** The key as UTF-8 text. */
  readonly key: string | null;
  readonly keyBytes: Buffer | null;
  readonly value: Buffer | null;
  /** Header values as text, see `textHeaders`. */
  readonly headers: Readonly<Record<string, string>>;
  readonly recordHeaders: RecordHeaders;
}

/** A function behind a Kafka event source. */
export type BatchHandler = (event: MSKEvent) => Promise<BatchResponse>;

/** All records of an event, each partition's in offset order. */
export function recordsOf(event: MSKEvent): KafkaRecord[] {
  return Object.values(event.records)
    .flat()
    .map((record) => {
      const keyBytes = bytes(record.key);
      const recordHeaders = (record.headers ?? []).flatMap(headersOf);
      return {
        topic: record.topic,
        partition: record.partition,
        offset: record.offset,
        timestamp: record.timestamp,
        key: keyBytes?.toString("utf8") ?? null,
        keyBytes,
        value: bytes(record.value),
        headers: textHeaders(recordHeaders),
        recordHeaders,
      };
    });
}

/** Lambda gives each header as an object of its own, with the value's bytes as numbers. */
function headersOf(header: Readonly<Record<string, readonly number[] | null>>): RecordHeaders {
  return Object.entries(header).map(([name, value]) => [name, value === null ? null : Buffer.from(value)] as const);
}

/** Lambda omits a key or value that the record does not have, or gives null for it. */
function bytes(base64: string | null | undefined): Buffer | null {
  return base64 == null ? null : Buffer.from(base64, "base64");
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

/** A record and what was read from it. */
export interface Read<T> {
  readonly record: KafkaRecord;
  readonly value: T;
}

/** What was read of an event's records. */
export interface ReadRecords<T> {
  readonly taken: readonly Read<T>[];
  /**
   * Records that can't be read. The handler must return them as failed: they are tried again, for a function that is
   * deployed meanwhile may read them, and then go to the on-failure destination.
   */
  readonly refused: readonly KafkaRecord[];
}

/** Reads each record, and leaves out those for which `read` returns null. A record that `read` refuses is logged. */
export function readRecords<T>(
  records: readonly KafkaRecord[],
  read: (record: KafkaRecord) => T | null,
  log: Logger,
): ReadRecords<T> {
  const taken: Read<T>[] = [];
  const refused: KafkaRecord[] = [];
  for (const record of records) {
    try {
      const value = read(record);
      if (value !== null) taken.push({ record, value });
    } catch (error) {
      log.error({ err: error, ...placeOf(record) }, "record can't be read");
      refused.push(record);
    }
  }
  return { taken, refused };
}

/** Reads records whose value is JSON of a schema; see `readRecords`. A record without a value is left out. */
export function parseRecords<T>(records: readonly KafkaRecord[], schema: z.ZodType<T>, log: Logger): ReadRecords<T> {
  return readRecords(records, (record) => parseValue(record, schema), log);
}

/**
 * The value of a record as its schema gives it; null when the record has none.
 *
 * @throws SyntaxError when the value is not JSON, ZodError when it does not follow the schema
 */
export function parseValue<T>({ value }: KafkaRecord, schema: z.ZodType<T>): T | null {
  return value === null ? null : schema.parse(JSON.parse(value.toString("utf8")));
}
