import type { EpochMs, Milliseconds } from "../../domain/time.ts";
import type { WindowSight } from "./outputs.ts";

/** Sensors or symbols, with an operator, whose windows are compared in one partition. */
export const MAX_KEYS = 5_000;
/** Missing windows of one partition that may still come late. */
export const MAX_OPEN = 1_000;
/** Readings from which a window shows traffic: as many do not fail to come by chance. */
const MIN_READINGS = 20;
/** A window has traffic up to its edges when it has this share of the usual readings. */
const FULL = 0.9;

export interface GapOptions {
  /** A longer silence is idleness, whatever was before and after it. */
  readonly idleTimeoutMs: Milliseconds;
  /** How long a missing window may still come. */
  readonly latenessMs: Milliseconds;
}

/** What is known of one sensor or symbol and one operator. */
interface Neighbour {
  end: EpochMs;
  /** Whether its traffic goes up to its end. */
  isFullAtEnd: boolean;
  /** Readings of a full window: the most of late, going down by a tenth with each window. */
  usual: number;
  /** Starts of windows that are missing, and not given up yet; null for none. */
  open: EpochMs[] | null;
}

/**
 * Finds tumbling windows that are missing between two neighbours in one partition. A window without readings is not
 * written, so a hole alone says nothing. It counts when readings must have been in it:
 *
 * - it is no longer than the idle timeout, or one window;
 * - the window before it fired by the watermark: its sensor did not go idle;
 * - both neighbours have traffic up to the hole: at least 20 readings, and nine tenths of the usual number. Where the
 *   record says when its first and last were, one within a tenth of the window from the hole takes the place of that.
 *
 * A window that comes late fills its hole. A hole that is open when the neighbour's time has moved on by the allowed
 * lateness is missing.
 */
export class WindowGaps {
  readonly #options: GapOptions;
  readonly #neighbours = new Map<string, Neighbour>();
  #open = 0;

  constructor(options: GapOptions) {
    this.#options = options;
  }

  /** Sensors or symbols, with an operator, whose windows are compared. */
  get keys(): number {
    return this.#neighbours.size;
  }

  /** Windows that are missing so far, and may still come. */
  get open(): number {
    return this.#open;
  }

  /** Takes a window. Returns how many are missing for good since the last call. */
  take(sight: WindowSight): number {
    const lengthMs = tumblingLength(sight.operator);
    if (lengthMs === null) return 0;
    const name = `${sight.key} ${sight.operator}`;
    const { start, end } = sight.window;
    const before = this.#neighbours.get(name);
    if (before === undefined) return this.#begin(name, sight);
    if (start < before.end) {
      this.#fill(before, start);
      return 0;
    }
    const usual = Math.max(sight.readings, before.usual * FULL);
    const isFull = isFullWindow(sight, usual, lengthMs);
    let missing = 0;
    if (before.isFullAtEnd && isFull.atStart && this.#isShort(start - before.end, lengthMs))
      missing += this.#miss(before, start, lengthMs);
    Object.assign(before, { end, usual, isFullAtEnd: sight.cause === "watermark" && isFull.atEnd });
    // The one that was longest without a window goes first.
    this.#neighbours.delete(name);
    this.#neighbours.set(name, before);
    return missing + this.#settle(before, end - lengthMs - this.#options.latenessMs);
  }

  #begin(name: string, sight: WindowSight): number {
    const { window, operator, cause, readings } = sight;
    let missing = 0;
    if (this.#neighbours.size >= MAX_KEYS) {
      const [oldest, { end }] = this.#neighbours.entries().next().value!;
      // One that still gives windows is worth more than a new one: in turns, none would have a neighbour.
      if (end > window.end - this.#options.latenessMs) return 0;
      missing = this.#settle(this.#neighbours.get(oldest)!, Infinity);
      this.#neighbours.delete(oldest);
    }
    const isFullAtEnd = cause === "watermark" && isFullWindow(sight, readings, tumblingLength(operator)!).atEnd;
    this.#neighbours.set(name, { end: window.end, usual: readings, isFullAtEnd, open: null });
    return missing;
  }

  #isShort(holeMs: Milliseconds, lengthMs: Milliseconds): boolean {
    return holeMs > 0 && holeMs <= Math.max(this.#options.idleTimeoutMs, lengthMs);
  }

  /** Notes the windows of a hole. Returns those that find no room, which can't be filled any more. */
  #miss(before: Neighbour, nextStart: EpochMs, lengthMs: Milliseconds): number {
    const count = Math.round((nextStart - before.end) / lengthMs);
    const noted = Math.min(count, MAX_OPEN - this.#open);
    if (noted > 0)
      before.open = [...(before.open ?? []), ...Array.from({ length: noted }, (_, i) => before.end + i * lengthMs)];
    this.#open += noted;
    return count - noted;
  }

  #fill(before: Neighbour, start: EpochMs): void {
    const at = before.open?.indexOf(start) ?? -1;
    if (at < 0) return;
    before.open!.splice(at, 1);
    this.#open--;
  }

  /** Gives up the missing windows that start at or before a time. */
  #settle(before: Neighbour, untilMs: EpochMs): number {
    if (before.open === null) return 0;
    const still = before.open.filter((start) => start > untilMs);
    const missing = before.open.length - still.length;
    before.open = still.length > 0 ? still : null;
    this.#open -= missing;
    return missing;
  }
}

/** Length of a tumbling operator's windows; null for another operator. */
function tumblingLength(operator: string): Milliseconds | null {
  const length = /^tumbling-(\d+)$/.exec(operator)?.[1];
  return length === undefined ? null : Number(length);
}

/** Whether a window has traffic up to each of its edges. */
function isFullWindow(
  { readings, extent, window }: WindowSight,
  usual: number,
  lengthMs: Milliseconds,
): { readonly atStart: boolean; readonly atEnd: boolean } {
  const enough = readings >= MIN_READINGS;
  if (extent === null) {
    const full = enough && readings >= FULL * usual;
    return { atStart: full, atEnd: full };
  }
  const edge = lengthMs / 10;
  return {
    atStart: enough && extent.first - window.start <= edge,
    atEnd: enough && window.end - extent.last <= edge,
  };
}
