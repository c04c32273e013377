import middy from "@middy/core";
import type { MSKEvent } from "aws-lambda";
import type { z } from "zod";
import type { Logger } from "../../adapters/log.ts";
import type { BatchResponse } from "../../domain/api.ts";

/** A Kafka record of an MSK event, decoded. */
export interface KafkaRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Epoch ms. */
  readonly timestamp: number;
  readonly key: string | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}

export type BatchHandler = (event: MSKEvent) => Promise<BatchResponse>;

/** All records of an event, each partition's in offset order. */
export function recordsOf(event: MSKEvent): KafkaRecord[] {
  return Object.values(event.records)
    .flat()
    .map((record) => ({
      topic: record.topic,
      partition: record.partition,
      offset: record.offset,
      timestamp: record.timestamp,
      key: bytes(record.key)?.toString("utf8") ?? null,
      value: bytes(record.value),
      headers: Object.fromEntries(
        (record.headers ?? [])
          .flatMap((header) => Object.entries(header))
          .map(([name, value]) => [name, Buffer.from(value).toString("utf8")]),
      ),
    }));
}

/** Lambda leaves out, or gives null for, what the record does not have. */
function bytes(base64: string | null | undefined): Buffer | null {
  return base64 == null ? null : Buffer.from(base64, "base64");
}

/** The answer that has the failed records, and what follows them in their partitions, delivered again. */
export function batchResponse(failed: Iterable<KafkaRecord>): BatchResponse {
  const resume = new Map<string, number>();
  for (const { topic, partition, offset } of failed) {
    const name = `${topic}-${partition}`;
    resume.set(name, Math.min(resume.get(name) ?? offset, offset));
  }
  return { batchItemFailures: [...resume].map(([partition, offset]) => ({ itemIdentifier: { partition, offset } })) };
}

/** A function behind a Kafka event source. `process` returns the records that failed; when it throws, all of them did. */
export function batchFunction(
  log: Logger,
  process: (records: readonly KafkaRecord[]) => Promise<Iterable<KafkaRecord>>,
): BatchHandler {
  const handler = middy<MSKEvent, BatchResponse>()
    .use({
      after: (request) => {
        const failed = request.response?.batchItemFailures ?? [];
        if (failed.length > 0) log.warn({ failed }, "part of a batch failed and will be delivered again");
      },
      onError: (request) => log.error({ err: request.error }, "batch failed and will be delivered again"),
    })
    .handler(async (event: MSKEvent) => batchResponse(await process(recordsOf(event))));
  return handler as unknown as BatchHandler;
}

/**
 * Parses the values of derived records. One that does not follow its schema is logged and passed over: a retry cannot
 * help it, the topic keeps it, and it must not hold up its partition.
 */
export function parseRecords<T>(
  records: readonly KafkaRecord[],
  schema: z.ZodType<T>,
  log: Logger,
): { record: KafkaRecord; value: T }[] {
  const parsed: { record: KafkaRecord; value: T }[] = [];
  for (const record of records) {
    if (record.value === null) continue;
    try {
      parsed.push({ record, value: schema.parse(JSON.parse(record.value.toString("utf8"))) });
    } catch (error) {
      log.error(
        { err: error, topic: record.topic, partition: record.partition, offset: record.offset },
        "record does not follow its schema and was passed over",
      );
    }
  }
  return parsed;
}
