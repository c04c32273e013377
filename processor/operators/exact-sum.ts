import type { Reader, Writer } from "../runtime/codec.ts";

/**
 * A sum of doubles without any rounding: it does not depend on the order of what is added, and a number that is taken
 * out again leaves nothing behind.
 *
 * It is kept as doubles that do not overlap, smallest first (Shewchuk, Adaptive precision floating-point arithmetic and
 * fast robust geometric predicates, 1997); there are at most some forty of them. What is added must be finite.
 */
export class ExactSum {
  /** The first `#count` of these: an array is made shorter slowly. */
  #parts: number[] = [];
  #count = 0;

  add(x: number): void {
    const parts = this.#parts;
    const before = this.#count;
    let count = 0;
    let high = x;
    for (let i = 0; i < before; i++) {
      const part = parts[i]!;
      const sum = high + part;
      const rest = Math.abs(high) < Math.abs(part) ? high - (sum - part) : part - (sum - high);
      if (rest !== 0) parts[count++] = rest;
      high = sum;
    }
    if (high !== 0) parts[count++] = high;
    this.#count = count;
  }

  /** The sum as the nearest double; of two, the even one. */
  get value(): number {
    const parts = this.#parts;
    let i = this.#count - 1;
    if (i < 0) return 0;
    let sum = parts[i]!;
    while (i > 0) {
      const before = sum;
      const part = parts[--i]!;
      sum = before + part;
      const rest = part - (sum - before);
      if (rest === 0) continue;
      // Half a unit in the last place was rounded to even: what comes behind decides.
      const next = i > 0 ? parts[i - 1]! : 0;
      if ((rest < 0 && next < 0) || (rest > 0 && next > 0)) {
        const twice = 2 * rest;
        const other = sum + twice;
        if (other - sum === twice) sum = other;
      }
      break;
    }
    return sum;
  }

  encode(writer: Writer): void {
    writer.f64s(Float64Array.from(this.#parts.slice(0, this.#count)));
  }

  static decode(reader: Reader): ExactSum {
    const sum = new ExactSum();
    sum.#parts = [...reader.f64s()];
    sum.#count = sum.#parts.length;
    return sum;
  }
}

/** Adds x to the sum of two doubles, high and low, at `at`: the error stays below some 2^-104 of it. */
export function addToPair(sums: Float64Array, at: number, x: number): void {
  const before = sums[at]!;
  const sum = before + x;
  const added = sum - before;
  const low = sums[at + 1]! + (before - (sum - added) + (x - added));
  const high = sum + low;
  sums[at] = high;
  sums[at + 1] = low - (high - sum);
}
