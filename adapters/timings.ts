import type { Milliseconds } from "../domain/time.ts";

/** Number of timings kept: enough for percentiles of the recent past. */
const TIMINGS_KEPT = 4_096;

/** Percentiles in milliseconds. */
export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/** The last 4,096 of a series of durations, in milliseconds, and how many there were. */
export class Timings {
  readonly #values = new Float64Array(TIMINGS_KEPT);
  readonly #addedAt = new Float64Array(TIMINGS_KEPT);
  readonly #keepMs: Milliseconds;
  readonly #now: () => Milliseconds;
  #count = 0;

  /**
   * @param keepMs How long one is kept. @default for ever
   * @param now A clock that never goes back.
   */
  constructor(keepMs: Milliseconds = Infinity, now: () => Milliseconds = () => performance.now()) {
    this.#keepMs = keepMs;
    this.#now = now;
  }

  add(milliseconds: number): void {
    const at = this.#count % TIMINGS_KEPT;
    this.#values[at] = milliseconds;
    this.#addedAt[at] = this.#now();
    this.#count++;
  }

  /** How many were added, those that are no longer kept included. */
  get count(): number {
    return this.#count;
  }

  /** Those that were added after the first `count`, if they are not behind the last 4,096; in no order. */
  since(count: number): Float64Array {
    const from = Math.max(count, this.#count - TIMINGS_KEPT);
    return Float64Array.from({ length: this.#count - from }, (_, i) => this.#values[(from + i) % TIMINGS_KEPT]!);
  }

  /** Those that are kept, ascending. */
  sorted(): Float64Array {
    const since = this.#now() - this.#keepMs;
    const all = this.#values.subarray(0, Math.min(this.#count, TIMINGS_KEPT));
    return all.filter((_, i) => this.#addedAt[i]! >= since).sort();
  }

  /** Percentiles of those that are kept; of none, zeros. */
  percentiles(): Percentiles {
    const sorted = this.sorted();
    const at = (q: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;
    return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
  }
}
