import type { Semantics } from "../../domain/semantics.ts";
import { type EpochMs, unitOf } from "../../domain/time.ts";
import type { Admission, Deduplication } from "./deduplication.ts";
import type { KeyedState } from "./keyed-state.ts";
import type { Message } from "./message.ts";

type Guards = Pick<Semantics, "futureGuardMs" | "earliestTimeMs">;

/**
 * Judges a decoded message: the guards of its times, then deduplication. Leaves no trace: remembering is the caller's.
 *
 * @param keyed The key's state; null for a key that has none yet.
 * @param watermark The key's watermark before this message.
 */
export function admit(
  message: Message,
  keyed: KeyedState | null,
  watermark: EpochMs,
  recordTimestamp: EpochMs,
  limits: Guards,
  deduplication: Deduplication,
): Admission {
  const { firstTime, lastTime, names } = message;
  const { futureGuardMs, earliestTimeMs } = limits;
  if (lastTime > recordTimestamp + futureGuardMs) {
    return {
      code: "event-from-the-future",
      message:
        `${names.last} ${lastTime} is ${lastTime - recordTimestamp} ms ahead of the record's timestamp ` +
        `${recordTimestamp}; at most ${futureGuardMs} ms are allowed: ` +
        adviceFor(lastTime, names.clock, recordTimestamp, limits),
    };
  }
  if (firstTime < earliestTimeMs) {
    return {
      code: "event-too-old",
      message:
        `${names.first} ${firstTime} is before the earliest time that is taken, ${earliestTimeMs} ` +
        `(${new Date(earliestTimeMs).toISOString()}): ${adviceFor(firstTime, names.clock, recordTimestamp, limits)}`,
    };
  }
  return keyed === null ? "new" : deduplication.judge(keyed, message, watermark);
}

function adviceFor(time: EpochMs, clock: string, recordTimestamp: EpochMs, limits: Guards): string {
  const unit = unitOf(time, limits.earliestTimeMs, recordTimestamp + limits.futureGuardMs);
  return unit === null ? `check ${clock}` : `it would fit in ${unit}; epoch milliseconds are expected`;
}
