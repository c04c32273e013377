/** Binary digits behind the point that every finite double has at most. */
const DIGITS = 1074n;

/** The sum of doubles, exact, then rounded once to a double. */
export function exactSum(values: readonly number[]): number {
  return toDouble(values.reduce((sum, value) => sum + scaled(value), 0n));
}

/** A double times 2^1074, which is whole. */
function scaled(value: number): bigint {
  const bits = new BigUint64Array(Float64Array.of(value).buffer)[0]!;
  const exponent = (bits >> 52n) & 0x7ffn;
  const fraction = bits & 0xfffffffffffffn;
  const whole = exponent === 0n ? fraction : (fraction | (1n << 52n)) << (exponent - 1n);
  return value < 0 ? -whole : whole;
}

/** Truncated to 64 digits before it is rounded: within one unit in the last place. */
function toDouble(sum: bigint): number {
  const size = sum < 0n ? -sum : sum;
  const dropped = BigInt(Math.max(0, size.toString(2).length - 64));
  // 2^-1074 in two factors: alone it would make everything zero that is not rounded yet.
  const exponent = Number(dropped - DIGITS);
  const half = Math.trunc(exponent / 2);
  return Number(sum >> dropped) * 2 ** half * 2 ** (exponent - half);
}
