import type { EpochMs } from "../../domain/time.ts";
import type { Keyed } from "./keyed.ts";
import type { Message, Rejection } from "./message.ts";
import type { PipelineLimits } from "./pipeline.ts";

/** `duplicate`: seen before, to be dropped and counted. */
export type Admission = "new" | "duplicate" | Rejection;

/**
 * Future guard, then deduplication. `keyed` is null for a key that has no state yet. Leaves no trace: remembering is
 * the caller's.
 */
export function admit(
  message: Message,
  keyed: Keyed | null,
  recordTimestamp: EpochMs,
  limits: PipelineLimits,
): Admission {
  const { lastTime } = message;
  if (lastTime > recordTimestamp + limits.futureGuardMs) {
    return {
      code: "event-from-the-future",
      message: `the last sample's time ${lastTime} is ${lastTime - recordTimestamp} ms ahead of the record's timestamp ${recordTimestamp}; at most ${limits.futureGuardMs} ms are allowed: check the device's clock`,
    };
  }
  if (keyed === null) return "new";
  const verdict = keyed.sequences.verdict(message.boot, message.seq, lastTime);
  if (verdict === "new") return "new";
  const identity = `seq ${message.seq} of boot ${JSON.stringify(message.boot)}`;
  if (verdict === "unknown")
    return {
      code: "sequence-unknown",
      message: `${identity} lies where too many gaps or boots have been forgotten: it can't be told whether it was counted`,
    };
  if (lastTime > keyed.maxEventTime)
    return {
      code: "sequence-reused",
      message: `${identity} was seen, but its last sample ${lastTime} is newer than all of this key's (${keyed.maxEventTime}): a device that restarts must change boot`,
    };
  return "duplicate";
}
