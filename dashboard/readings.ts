import type { Channel, SamplesData } from "../domain/live-messages.ts";
import type { TimeInterval } from "../domain/time.ts";

/** Columns of the charts, in the order of `Readings.columns`. */
export const CHANNELS = ["ax", "ay", "az", "accMag", "gx", "gy", "gz", "gyroMag"] as const satisfies Channel[];

/** Readings that are kept of a sensor, at most: 10 kHz over six seconds, or 2 kHz over thirty. */
const MOST = 60_000;
const FIRST_CAPACITY = 4_096;
/** Messages that are remembered, so that one that comes again is dropped. */
const REMEMBERED = 256;

/** What `Readings.view` gives; the arrays are views that the next change may overwrite. */
export interface ReadingsView {
  /** Epoch ms, not decreasing. */
  readonly t: Float64Array;
  /** By `CHANNELS`; m/s² and rad/s, NaN where a message had none. */
  readonly columns: readonly Float32Array[];
}

/** The newest readings of a sensor in columns, sorted by time, over a bounded span. */
export class Readings {
  readonly #spanMs: number;
  #times = new Float64Array(FIRST_CAPACITY);
  #columns = CHANNELS.map(() => new Float32Array(FIRST_CAPACITY));
  /** The rows that are kept: [from, to). */
  #from = 0;
  #to = 0;
  readonly #messages = new Set<string>();

  constructor(spanMs: number) {
    this.#spanMs = spanMs;
  }

  get isEmpty(): boolean {
    return this.#from === this.#to;
  }

  /** Time of the newest reading, epoch ms; 0 where there is none. */
  get newest(): number {
    return this.isEmpty ? 0 : this.#times[this.#to - 1]!;
  }

  /** Takes a message, unless it was taken before. A late one is sorted in. */
  add(samples: SamplesData): void {
    const message = `${samples.id} ${samples.part ?? 0}`;
    if (this.#messages.has(message)) return;
    this.#messages.add(message);
    if (this.#messages.size > REMEMBERED) this.#messages.delete(this.#messages.values().next().value ?? "");
    samples.t.forEach((t, i) =>
      this.#insert(
        t,
        CHANNELS.map((name) => samples[name]?.[i] ?? Number.NaN),
      ),
    );
    this.#trim();
  }

  /**
   * Takes one row by `CHANNELS` for a time without readings, epoch ms: before all that there are, or between them.
   *
   * @returns Whether it took the row.
   */
  addWhereEmpty({ start, end }: TimeInterval, row: readonly number[]): boolean {
    const middle = (start + end) / 2;
    if (!this.isEmpty && (end > this.newest || middle < this.newest - this.#spanMs)) return false;
    if (this.view().t.some((at) => at >= start && at < end)) return false;
    this.#insert(middle, row);
    this.#trim();
    return true;
  }

  view(): ReadingsView {
    return {
      t: this.#times.subarray(this.#from, this.#to),
      columns: this.#columns.map((column) => column.subarray(this.#from, this.#to)),
    };
  }

  #insert(t: number, row: readonly number[]): void {
    if (this.#to === this.#times.length) this.#makeRoom();
    let at = this.#to;
    while (at > this.#from && this.#times[at - 1]! > t) at--;
    if (at < this.#to) for (const column of [this.#times, ...this.#columns]) column.copyWithin(at + 1, at, this.#to);
    this.#times[at] = t;
    row.forEach((value, i) => (this.#columns[i]![at] = value));
    this.#to++;
  }

  /** Moves the rows to the front, of larger arrays where they fill more than half of these. */
  #makeRoom(): void {
    const { t, columns } = this.view();
    const capacity = t.length > this.#times.length / 2 ? this.#times.length * 2 : this.#times.length;
    const [newT, newColumns] = [new Float64Array(capacity), columns.map(() => new Float32Array(capacity))];
    newT.set(t);
    columns.forEach((column, i) => newColumns[i]!.set(column));
    this.#to = t.length;
    this.#from = 0;
    this.#times = newT;
    this.#columns = newColumns;
  }

  #trim(): void {
    const oldest = this.newest - this.#spanMs;
    while (this.#from < this.#to && (this.#times[this.#from]! < oldest || this.#to - this.#from > MOST)) this.#from++;
  }
}
