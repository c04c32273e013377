import { createHash } from "node:crypto";

/** Returns the next number in [0, 1). The sequence depends only on the seed. */
export type Random = () => number;

/** A generator (mulberry32, by Tommy Ettinger) whose sequence depends only on the parts of the seed. */
export function seededRandom(...seed: readonly (string | number)[]): Random {
  let state = createHash("sha256").update(JSON.stringify(seed)).digest().readUInt32LE(0);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A standard normal deviate (Box and Muller, 1958). */
export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
