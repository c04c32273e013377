import { MINUTE, SECOND, type EpochMs } from "../../domain/time.ts";

const SLOT_MS = 10 * SECOND;
/** Slots that are remembered. */
const SLOTS = (5 * MINUTE) / SLOT_MS;

/** A part of a count over the whole, of the last five minutes. */
export class RecentShare {
  readonly #slots = Array.from({ length: SLOTS }, () => ({ slot: -1, part: 0, whole: 0 }));

  add(part: number, whole: number, nowMs: EpochMs): void {
    const slot = Math.floor(nowMs / SLOT_MS);
    const kept = this.#slots[slot % SLOTS]!;
    if (kept.slot !== slot) Object.assign(kept, { slot, part: 0, whole: 0 });
    kept.part += part;
    kept.whole += whole;
  }

  /** Percent; undefined when nothing was counted. */
  percent(nowMs: EpochMs): number | undefined {
    const first = Math.floor(nowMs / SLOT_MS) - SLOTS;
    const recent = this.#slots.filter(({ slot }) => slot > first);
    const sum = (of: "part" | "whole"): number => recent.reduce((total, each) => total + each[of], 0);
    return sum("whole") === 0 ? undefined : (100 * sum("part")) / sum("whole");
  }
}
