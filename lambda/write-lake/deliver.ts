import { setTimeout as delay } from "node:timers/promises";
import { PutRecordBatchCommand, type FirehoseClient } from "@aws-sdk/client-firehose";
import { deliveryLimits } from "../../domain/delivery-processors.ts";
import { backoffMs, MAX_ATTEMPTS, split, type Packed } from "./batches.ts";

const callLimits = { count: deliveryLimits.callRecords, bytes: deliveryLimits.callBytes };

/**
 * Puts packed rows into a delivery stream. Those that fail are put again, those alone, after a wait that grows.
 *
 * @param random Gives numbers in [0, 1)
 * @returns The records whose rows failed in all attempts, and the last reason
 */
export async function deliver<R>(
  firehose: FirehoseClient,
  streamName: string,
  packed: readonly Packed<R>[],
  random: () => number,
): Promise<{ readonly failed: R[]; readonly reason?: unknown }> {
  let waiting = packed;
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
  return { failed: waiting.flatMap(({ records }) => records), reason };
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
