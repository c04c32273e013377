import { createHash } from "node:crypto";
import type { Reader, Writer } from "../runtime/codec.ts";
import type { SeenFacts } from "../runtime/facts.ts";

/** What is known of a sequence number. */
export type SequenceVerdict = "new" | "seen" | "unknown";

/** The sequence numbers of one boot that were seen. */
interface SeenNumbers {
  /** Numbers below it are unknown: they may have been seen or not. */
  floor: number;
  /** Numbers not seen are unknown, too, with readings up to this time: the boot may be one that was forgotten. */
  readonly doubtfulUpTo: number;
  /** Newest event time of the boot. */
  newest: number;
  /** Intervals of seen numbers: pairs of first and last, both inclusive, flattened; sorted, disjoint, not adjacent. */
  intervals: number[];
}

/** How much is remembered per key; beyond that the oldest is let go. */
export interface SequenceLimits {
  readonly maxIntervalsPerSensor: number;
  readonly maxBootsPerSensor: number;
  readonly maxLetGoBootsPerSensor: number;
}

/**
 * The (boot, seq) of one key's accepted messages. Memory grows with gaps and boots, not with time. Where a limit takes
 * away knowledge, the answer is `unknown`, never a guess.
 *
 * Boots that were let go are remembered by hashes of eight bytes, up to a limit. Beyond it only the newest event time
 * of the forgotten boots is kept: a boot never heard of is new only with readings after that time.
 */
export class Sequences {
  /** Boots in the order in which they were first seen; null stands for messages without one. */
  readonly #boots = new Map<string | null, SeenNumbers>();
  /** Hashes of the boots that were let go, with the newest event time of each. */
  readonly #letGo = new Map<bigint, number>();
  /** Newest event time of the boots whose names are forgotten. */
  #forgottenUpTo = -Infinity;
  /** Intervals of all boots. */
  #intervals = 0;

  /** `lastTime`: event time of the message's last sample. */
  verdict(boot: string | null, seq: number, lastTime: number): SequenceVerdict {
    const seen = this.#boots.get(boot);
    if (!seen) return this.#isLetGo(boot) || lastTime <= this.#forgottenUpTo ? "unknown" : "new";
    if (seq < seen.floor) return "unknown";
    const at = lastAtOrBelow(seen.intervals, seq);
    if (at >= 0 && seq <= seen.intervals[at + 1]!) return "seen";
    return lastTime <= seen.doubtfulUpTo ? "unknown" : "new";
  }

  #isLetGo(boot: string | null): boolean {
    return this.#letGo.size > 0 && this.#letGo.has(hashOf(boot));
  }

  /** Whether no message of this boot was accepted yet. */
  isFirstOf(boot: string | null): boolean {
    return !this.#boots.has(boot);
  }

  /** Remembers a new number. */
  add(boot: string | null, seq: number, lastTime: number, limits: SequenceLimits): void {
    let seen = this.#boots.get(boot);
    if (!seen) {
      this.#boots.set(boot, (seen = { floor: 0, doubtfulUpTo: this.#forgottenUpTo, newest: lastTime, intervals: [] }));
      while (this.#boots.size > limits.maxBootsPerSensor) this.#letGoOldest();
      this.#forgetLetGo(limits);
    }
    if (lastTime > seen.newest) seen.newest = lastTime;
    const before = seen.intervals.length;
    insert(seen.intervals, seq);
    this.#intervals += (seen.intervals.length - before) / 2;
    while (this.#intervals > limits.maxIntervalsPerSensor && this.#raiseFloor());
  }

  /** Raises the floor past the oldest gap: the lowest gap of the boot that was first seen earliest. False: none has. */
  #raiseFloor(): boolean {
    for (const seen of this.#boots.values()) {
      if (seen.intervals.length <= 2) continue;
      seen.intervals.splice(0, 2);
      seen.floor = seen.intervals[0]!;
      this.#intervals--;
      return true;
    }
    return false;
  }

  #letGoOldest(): void {
    const [boot, seen] = this.#boots.entries().next().value!;
    this.#boots.delete(boot);
    this.#intervals -= seen.intervals.length / 2;
    this.#letGo.set(hashOf(boot), seen.newest);
  }

  #forgetLetGo(limits: SequenceLimits): void {
    while (this.#letGo.size > limits.maxLetGoBootsPerSensor) {
      const [forgotten, newest] = this.#letGo.entries().next().value!;
      this.#letGo.delete(forgotten);
      this.#forgottenUpTo = Math.max(this.#forgottenUpTo, newest);
    }
  }

  facts(): SeenFacts {
    return {
      boots: [...this.#boots].map(([boot, { floor, newest, intervals }]) => ({
        boot,
        floor,
        intervals: Array.from({ length: intervals.length / 2 }, (_, i) => [intervals[2 * i]!, intervals[2 * i + 1]!]),
        newest,
      })),
      letGoBoots: this.#letGo.size,
    };
  }

  encode(writer: Writer): void {
    writer.u32(this.#boots.size);
    for (const [boot, seen] of this.#boots) {
      writer.optionalText(boot);
      writer.f64(seen.floor);
      writer.f64(seen.doubtfulUpTo);
      writer.f64(seen.newest);
      writer.f64s(Float64Array.from(seen.intervals));
    }
    writer.u32(this.#letGo.size);
    for (const [hash, newest] of this.#letGo) {
      writer.u32(Number(hash >> 32n));
      writer.u32(Number(hash & 0xffff_ffffn));
      writer.f64(newest);
    }
    writer.f64(this.#forgottenUpTo);
  }

  /** `withNames`: whether let-go boots were written by their names, as they were at first. */
  static decode(reader: Reader, withNames: boolean): Sequences {
    const sequences = new Sequences();
    for (let boots = reader.u32(); boots > 0; boots--) {
      const boot = reader.optionalText();
      const seen = {
        floor: reader.f64(),
        doubtfulUpTo: reader.f64(),
        newest: reader.f64(),
        intervals: [...reader.f64s()],
      };
      sequences.#boots.set(boot, seen);
      sequences.#intervals += seen.intervals.length / 2;
    }
    for (let boots = reader.u32(); boots > 0; boots--) {
      const hash = withNames ? hashOf(reader.optionalText()) : (BigInt(reader.u32()) << 32n) | BigInt(reader.u32());
      sequences.#letGo.set(hash, reader.f64());
    }
    sequences.#forgottenUpTo = reader.f64();
    return sequences;
  }
}

/** The first eight bytes of the SHA-256 of a boot; one byte in front tells a boot from none. */
function hashOf(boot: string | null): bigint {
  const digest = createHash("sha256")
    .update(boot === null ? "0" : `1${boot}`, "utf16le")
    .digest();
  return digest.readBigUInt64BE();
}

/** Index (even) of the last interval whose first number is at most `seq`; -2 when there is none. */
function lastAtOrBelow(intervals: readonly number[], seq: number): number {
  let low = 0;
  let high = intervals.length >> 1;
  if (high > 0 && intervals[2 * high - 2]! <= seq) return 2 * high - 2;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (intervals[2 * middle]! <= seq) low = middle + 1;
    else high = middle;
  }
  return 2 * low - 2;
}

/** Adds a number that no interval holds, joining the intervals that it touches. */
function insert(intervals: number[], seq: number): void {
  const at = lastAtOrBelow(intervals, seq);
  const joinsLeft = at >= 0 && intervals[at + 1] === seq - 1;
  const joinsRight = intervals[at + 2] === seq + 1;
  if (joinsLeft && joinsRight) intervals.splice(at + 1, 2);
  else if (joinsLeft) intervals[at + 1] = seq;
  else if (joinsRight) intervals[at + 2] = seq;
  else intervals.splice(at + 2, 0, seq, seq);
}
