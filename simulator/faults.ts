import type { Milliseconds } from "../domain/time.ts";
import type { PlannedMessage } from "./plan.ts";
import type { Random } from "./synthetic/random.ts";

/** Probability per message, from 0 to 1, of each fault. */
export interface Faults {
  /** The message is published a second time, at once or up to 2 s later. */
  readonly duplicate: number;
  /** The message is delayed by 1 to 20 s. */
  readonly late: number;
  /** A corrupt copy is published in addition. Every reader must refuse it. */
  readonly corrupt: number;
  /** The connection is cut before the message is published. */
  readonly disconnect: number;
}

export const noFaults: Faults = { duplicate: 0, late: 0, corrupt: 0, disconnect: 0 };

const MAX_REPEAT_DELAY_MS = 2_000;
const MIN_LATE_MS = 1_000;
const MAX_LATE_MS = 20_000;

/** Damage of a payload. `at` is a position, as a fraction of the length: where it is cut, or which byte changes. */
export type Damage = { readonly kind: "cut"; readonly at: number } | { readonly kind: "byte"; readonly at: number };

/** One publication of a message. */
export interface Delivery {
  readonly message: PlannedMessage;
  readonly dueMs: Milliseconds;
  readonly kind: "original" | "late" | "duplicate" | "corrupt";
  readonly damage?: Damage;
  readonly disconnectBefore: boolean;
}

/**
 * The publications of a message. It always draws the same number of random numbers, so that one message's faults do not
 * change the faults of the next ones.
 */
export function deliveries(message: PlannedMessage, faults: Faults, random: Random): Delivery[] {
  const late = random();
  const lateBy = random();
  const duplicate = random();
  const repeatAtOnce = random();
  const repeatAfter = random();
  const corrupt = random();
  const cut = random();
  const damageAt = random();
  const disconnect = random();
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

/** A byte that never occurs in UTF-8. */
const NO_UTF8 = 0xff;
/** Magic, version and flags. A packed message with other values is invalid. */
const PACKED_PREFIX_BYTES = 4;

/**
 * A damaged copy of a payload. Any reader refuses it, because it is cut short, or has a byte that is valid neither in
 * UTF-8 nor in the packed layout.
 */
export function damaged(payload: Uint8Array, damage: Damage, format: "json" | "packed"): Uint8Array {
  if (damage.kind === "cut") return payload.subarray(0, 1 + Math.floor(damage.at * (payload.length - 1)));
  const copy = new Uint8Array(payload);
  copy[Math.floor(damage.at * (format === "packed" ? PACKED_PREFIX_BYTES : payload.length))] = NO_UTF8;
  return copy;
}
