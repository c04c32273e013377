import { setTimeout as delay } from "node:timers/promises";
import { PutRecordBatchCommand, type FirehoseClient } from "@aws-sdk/client-firehose";
import { backoffMs, MAX_ATTEMPTS, toBatches } from "./batches.ts";

/** A row to deliver. */
export interface Delivery<R> {
  /** The record that the row came from. */
  readonly record: R;
  /** One line of JSON. */
  readonly data: Uint8Array;
}

/**
 * Puts rows into a delivery stream. Rows that fail are put again, those alone, after a wait that grows.
 *
 * @param random Gives numbers in [0, 1)
 * @returns The rows that failed in all attempts, and the last reason
 */
export async function deliver<R>(
  firehose: FirehoseClient,
  streamName: string,
  deliveries: readonly Delivery<R>[],
  random: () => number,
): Promise<{ readonly failed: Delivery<R>[]; readonly reason?: unknown }> {
  let waiting: Delivery<R>[] = [...deliveries];
  let reason: unknown;
  for (let attempt = 0; waiting.length > 0 && attempt < MAX_ATTEMPTS; attempt++) {
    if (attempt > 0) await delay(backoffMs(attempt, random()));
    const failed: Delivery<R>[] = [];
    for (const batch of toBatches(waiting)) {
      const outcome = await put(firehose, streamName, batch);
      failed.push(...outcome.failed);
      if (outcome.failed.length > 0) reason = outcome.reason;
    }
    waiting = failed;
  }
  return { failed: waiting, reason };
}

async function put<R>(
  firehose: FirehoseClient,
  streamName: string,
  batch: readonly Delivery<R>[],
): Promise<{ readonly failed: readonly Delivery<R>[]; readonly reason?: unknown }> {
  try {
    const { FailedPutCount: count, RequestResponses: responses = [] } = await firehose.send(
      new PutRecordBatchCommand({ DeliveryStreamName: streamName, Records: batch.map(({ data }) => ({ Data: data })) }),
    );
    if (!count) return { failed: [] };
    return {
      failed: batch.filter((_, i) => responses[i]?.ErrorCode !== undefined),
      reason: responses.find(({ ErrorCode }) => ErrorCode !== undefined),
    };
  } catch (reason) {
    return { failed: batch, reason };
  }
}
