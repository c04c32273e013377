import { randomUUID } from "node:crypto";
import { appendFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { EventSourceMapping } from "../../domain/event-source-mappings.ts";
import { functionArn } from "../lambda/invoke.ts";
import { CLUSTER_ARN, mskEvent, type KafkaRecord } from "./event.ts";

/** Records that are given up, with what the on-failure destination says about them. */
export interface Discarded {
  readonly records: readonly KafkaRecord[];
  readonly condition: "RetryAttemptsExhausted" | "RecordAgeExceeded";
  readonly attempts: number;
  readonly error: unknown;
  readonly brokers: string;
  readonly timestampType: string;
  readonly nowMs: number;
}

/** The file that takes the place of a mapping's on-failure destination. */
export const destinationFile = (
  directory: string,
  mapping: Pick<EventSourceMapping, "functionName" | "topic">,
): string => join(directory, `${mapping.functionName}.${mapping.topic}.ndjson`);

/**
 * Appends one line of JSON with what Lambda writes to an S3 destination: the metadata of the failed batch, and its
 * event as `payload`. Resolves when the line is on the disk.
 */
export async function writeDiscarded(
  directory: string,
  mapping: EventSourceMapping,
  discarded: Discarded,
): Promise<void> {
  const payload = mskEvent(discarded.records, discarded.brokers, discarded.timestampType);
  const line = {
    requestContext: {
      requestId: randomUUID(),
      functionArn: functionArn(mapping.functionName),
      condition: discarded.condition,
      approximateInvokeCount: discarded.attempts,
    },
    responseContext: {
      statusCode: 200,
      executedVersion: "$LATEST",
      functionError:
        discarded.error instanceof Error
          ? `${discarded.error.name}: ${discarded.error.message}`
          : String(discarded.error),
    },
    version: "1.0",
    timestamp: new Date(discarded.nowMs).toISOString(),
    KafkaBatchInfo: {
      batchSize: discarded.records.length,
      eventSourceArn: CLUSTER_ARN,
      bootstrapServers: discarded.brokers,
      payloadSize: JSON.stringify(payload).length,
    },
    payload,
  };
  await mkdir(directory, { recursive: true });
  await appendFile(destinationFile(directory, mapping), `${JSON.stringify(line)}\n`, { flush: true });
}
