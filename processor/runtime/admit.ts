import type { EpochMs } from "../../domain/time.ts";
import type { Admission, Deduplication } from "./deduplication.ts";
import type { KeyedState } from "./keyed-state.ts";
import type { Message } from "./message.ts";
import type { PipelineLimits } from "./pipeline.ts";

/**
 * Judges a decoded message: future guard, then deduplication. Leaves no trace: remembering is the caller's.
 *
 * @param keyed The key's state; null for a key that has none yet.
 */
export function admit(
  message: Message,
  keyed: KeyedState | null,
  recordTimestamp: EpochMs,
  limits: PipelineLimits,
  deduplication: Deduplication,
): Admission {
  const { lastTime } = message;
  if (lastTime > recordTimestamp + limits.futureGuardMs) {
    return {
      code: "event-from-the-future",
      message:
        `the last sample's time ${lastTime} is ${lastTime - recordTimestamp} ms ahead of the record's timestamp ` +
        `${recordTimestamp}; at most ${limits.futureGuardMs} ms are allowed: check the device's clock`,
    };
  }
  return keyed === null ? "new" : deduplication.judge(keyed.seen, message, keyed.maxEventTime);
}
