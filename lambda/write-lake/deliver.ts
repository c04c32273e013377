import { setTimeout as delay } from "node:timers/promises";
import { PutRecordBatchCommand, type FirehoseClient } from "@aws-sdk/client-firehose";
import { deliveryLimits } from "../../domain/delivery-processors.ts";
import { backoffMs, MAX_ATTEMPTS, split } from "./batches.ts";

/** A row to deliver. */
export interface Delivery<R> {
  /** The record that the row came from. */
  readonly record: R;
  /** One line of JSON, with its line feed. */
  readonly data: string;
}

/** Rows that are one record of Firehose, which takes all of them or none. */
interface Packed<R> {
  readonly rows: readonly Delivery<R>[];
  readonly data: Uint8Array;
}

const packLimits = { count: deliveryLimits.recordRows, bytes: deliveryLimits.recordBytes };
const callLimits = { count: deliveryLimits.callRecords, bytes: deliveryLimits.callBytes };

/**
 * Puts rows into a delivery stream, packed into as few records as its limits allow. Records that fail are put again,
 * those alone, after a wait that grows.
 *
 * @param random Gives numbers in [0, 1)
 * @returns The rows whose record failed in all attempts, and the last reason
 */
export async function deliver<R>(
  firehose: FirehoseClient,
  streamName: string,
  deliveries: readonly Delivery<R>[],
  random: () => number,
): Promise<{ readonly failed: Delivery<R>[]; readonly reason?: unknown }> {
  let waiting: readonly Packed<R>[] = split(deliveries, packLimits).map((rows) => ({
    rows,
    data: Buffer.from(rows.map(({ data }) => data).join("")),
  }));
  let reason: unknown;
  for (let attempt = 0; waiting.length > 0 && attempt < MAX_ATTEMPTS; attempt++) {
    if (attempt > 0) await delay(backoffMs(attempt, random()));
    const failed: Packed<R>[] = [];
    for (const batch of split(waiting, callLimits)) {
      const outcome = await put(firehose, streamName, batch);
      failed.push(...outcome.failed);
      if (outcome.failed.length > 0) reason = outcome.reason;
    }
    waiting = failed;
  }
  return { failed: waiting.flatMap(({ rows }) => rows), reason };
}

async function put<R>(
  firehose: FirehoseClient,
  streamName: string,
  batch: readonly Packed<R>[],
): Promise<{ readonly failed: readonly Packed<R>[]; readonly reason?: unknown }> {
  try {
    const { FailedPutCount: count, RequestResponses: responses = [] } = await firehose.send(
      new PutRecordBatchCommand({ DeliveryStreamName: streamName, Records: batch.map(({ data }) => ({ Data: data })) }),
    );
    if (!count) return { failed: [] };
    const refusal = responses.find(({ ErrorCode }) => ErrorCode !== undefined);
    return {
      failed: batch.filter((_, i) => responses[i]?.ErrorCode !== undefined),
      reason: refusal && new Error(`${refusal.ErrorCode}: ${refusal.ErrorMessage ?? "no message"}`),
    };
  } catch (reason) {
    return { failed: batch, reason };
  }
}
