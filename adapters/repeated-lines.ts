import { MINUTE, type EpochMs } from "../domain/time.ts";

/** Kinds of lines that are remembered, at most: of the oldest one the count is written early. */
const MOST_KINDS = 200;

/** What the last line of a kind says of those before it. */
export interface Repeats {
  /** Lines that came again and were not written, this one included. */
  readonly repeated: number;
  /** When the first line of the kind was written, as ISO 8601. */
  readonly since: string;
}

/** Writes a line, with what it says of the lines before it. */
type Write = (repeats?: Repeats) => void;

/** The lines of one kind within a minute. */
interface Kind {
  readonly sinceMs: EpochMs;
  written: number;
  repeated: number;
  /** The newest line that was not written. */
  last: Write | null;
}

/**
 * Writes the first lines of a kind and counts those that come again within a minute. At the end of the minute the last
 * one is written, with the count; what comes after it is new again.
 */
export class RepeatedLines {
  readonly #now: () => EpochMs;
  /** In the order in which they began. */
  readonly #kinds = new Map<string, Kind>();

  constructor(now: () => EpochMs) {
    this.#now = now;
  }

  /**
   * Writes a line, or counts it.
   *
   * @param most Lines of its kind that are written in a minute
   */
  take(kind: string, most: number, write: Write): void {
    this.writeDue();
    let known = this.#kinds.get(kind);
    if (!known) {
      if (this.#kinds.size >= MOST_KINDS) this.#end(this.#kinds.keys().next().value!);
      this.#kinds.set(kind, (known = { sinceMs: this.#now(), written: 0, repeated: 0, last: null }));
    }
    if (known.written < most) {
      known.written++;
      write();
    } else {
      known.repeated++;
      known.last = write;
    }
  }

  /** Writes the counts of the minutes that have ended. */
  writeDue(): void {
    const began = this.#now() - MINUTE;
    for (const [kind, { sinceMs }] of this.#kinds) if (sinceMs <= began) this.#end(kind);
  }

  /** Writes all counts: the process ends. */
  writeAll(): void {
    for (const kind of this.#kinds.keys()) this.#end(kind);
  }

  #end(kind: string): void {
    const { sinceMs, repeated, last } = this.#kinds.get(kind)!;
    this.#kinds.delete(kind);
    last?.({ repeated, since: new Date(sinceMs).toISOString() });
  }
}
