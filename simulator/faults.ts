import type { Milliseconds } from "../domain/time.ts";
import type { PlannedMessage } from "./plan.ts";
import type { Random } from "./random.ts";

/** Probability, per message, of what goes wrong with it. */
export interface Faults {
  /** It is published a second time, at once or up to 2 s later. */
  readonly duplicate: number;
  /** It is held back for 1 to 20 s. */
  readonly late: number;
  /** A corrupted copy is published besides it, which no reader can take for a message. */
  readonly corrupt: number;
  /** The connection is cut before it is published. */
  readonly disconnect: number;
}

export const noFaults: Faults = { duplicate: 0, late: 0, corrupt: 0, disconnect: 0 };

const MAX_REPEAT_DELAY_MS = 2_000;
const MIN_LATE_MS = 1_000;
const MAX_LATE_MS = 20_000;

/** How a payload is damaged; both are fractions of its length. */
export type Damage = { readonly kind: "cut"; readonly at: number } | { readonly kind: "byte"; readonly at: number };

/** One thing to publish. */
export interface Delivery {
  readonly message: PlannedMessage;
  readonly dueMs: Milliseconds;
  readonly kind: "original" | "late" | "duplicate" | "corrupt";
  readonly damage?: Damage;
  readonly disconnectBefore: boolean;
}

/**
 * What becomes of a message. Draws as many numbers whatever happens, so that the faults of a seed don't depend on their
 * rates alone.
 */
export function deliveries(message: PlannedMessage, faults: Faults, random: Random): Delivery[] {
  const draws = Array.from({ length: 9 }, random) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const [late, lateBy, duplicate, repeatAtOnce, repeatAfter, corrupt, cut, damageAt, disconnect] = draws;
  const isLate = late < faults.late;
  const dueMs = isLate ? message.dueMs + MIN_LATE_MS + lateBy * (MAX_LATE_MS - MIN_LATE_MS) : message.dueMs;
  const result: Delivery[] = [
    { message, dueMs, kind: isLate ? "late" : "original", disconnectBefore: disconnect < faults.disconnect },
  ];
  if (duplicate < faults.duplicate) {
    const repeatedMs = repeatAtOnce < 0.5 ? dueMs : dueMs + repeatAfter * MAX_REPEAT_DELAY_MS;
    result.push({ message, dueMs: repeatedMs, kind: "duplicate", disconnectBefore: false });
  }
  if (corrupt < faults.corrupt) {
    result.push({
      message,
      dueMs: message.dueMs,
      kind: "corrupt",
      damage: { kind: cut < 0.5 ? "cut" : "byte", at: damageAt },
      disconnectBefore: false,
    });
  }
  return result;
}

/** A byte that UTF-8 never has. */
const NO_UTF8 = 0xff;
/** Magic, version and flags: no packed message has them otherwise. */
const PACKED_PREFIX_BYTES = 4;

/**
 * A damaged copy that is refused whatever its content was: cut short, or with a byte that neither UTF-8 nor the packed
 * layout allows.
 */
export function damaged(payload: Uint8Array, damage: Damage, format: "json" | "packed"): Uint8Array {
  if (damage.kind === "cut") return payload.subarray(0, 1 + Math.floor(damage.at * (payload.length - 1)));
  const copy = new Uint8Array(payload);
  copy[Math.floor(damage.at * (format === "packed" ? PACKED_PREFIX_BYTES : payload.length))] = NO_UTF8;
  return copy;
}
