import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { addToPair, ExactSum } from "../../../processor/operators/exact-sum.ts";
import { Reader, Writer } from "../../../processor/runtime/codec.ts";

/** A double as an integer multiple of 2^-1074. */
function exactly(x: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  const bits = view.getBigUint64(0);
  const exponent = (bits >> 52n) & 0x7ffn;
  const fraction = bits & 0xf_ffff_ffff_ffffn;
  const magnitude = exponent === 0n ? fraction : (fraction | (1n << 52n)) << (exponent - 1n);
  return bits >> 63n === 1n ? -magnitude : magnitude;
}

/** The double nearest to a multiple of 2^-1074; of two, the even one (IEEE 754, roundTiesToEven). */
function nearest(units: bigint): number {
  const magnitude = units < 0n ? -units : units;
  const bits = BigInt(magnitude.toString(2).length);
  const shift = bits > 53n ? bits - 53n : 0n;
  let mantissa = magnitude >> shift;
  const rest = magnitude - (mantissa << shift);
  const half = shift > 0n ? 1n << (shift - 1n) : 0n;
  if (shift > 0n && (rest > half || (rest === half && mantissa % 2n === 1n))) mantissa++;
  const exponent = Number(shift) - 1_074;
  // In two steps: 2^-1074 alone would round what is multiplied by it.
  const value = Number(mantissa) * 2 ** Math.max(exponent, -1_000) * 2 ** Math.min(exponent + 1_000, 0);
  return units < 0n ? -value : value;
}

function sumOf(values: readonly number[]): ExactSum {
  const sum = new ExactSum();
  for (const value of values) sum.add(value);
  return sum;
}

const figures = fc.array(
  fc.oneof(
    fc.double({ min: -1e100, max: 1e100, noNaN: true }),
    fc.constantFrom(0.1, 0.2, 0.3, 1e16, 1, -1, 1e-16, 2 ** 53, 5e-324),
  ),
  { maxLength: 40 },
);

test("the reference rounds as IEEE 754 does", () => {
  for (const x of [0, 1, -0.1, 1e100, 5e-324, 2 ** 53 + 2]) expect(nearest(exactly(x))).toBe(x);
  expect(nearest(exactly(2 ** 53) + exactly(1))).toBe(2 ** 53); // a tie: the even one
  expect(nearest(exactly(2 ** 53) + exactly(3))).toBe(2 ** 53 + 4);
});

test("a sum is the double nearest to the exact one, in any order, also after a restore", () => {
  fc.assert(
    fc.property(figures, fc.nat(), (values, cut) => {
      const expected = nearest(values.reduce((sum, x) => sum + exactly(x), 0n));
      expect(sumOf(values).value).toBe(expected);
      expect(sumOf([...values].reverse()).value).toBe(expected);
      const at = values.length === 0 ? 0 : cut % values.length;
      const writer = new Writer();
      sumOf(values.slice(0, at)).encode(writer);
      const restored = ExactSum.decode(new Reader(writer.take()));
      for (const value of values.slice(at)) restored.add(value);
      expect(restored.value).toBe(expected);
    }),
  );
});

test("what is taken out again leaves nothing behind", () => {
  const sum = sumOf([1e100, 0.1, 3]);
  sum.add(-1e100);
  expect(sum.value).toBe(3.1);
  for (const value of [-0.1, -3]) sum.add(value);
  expect(sum.value).toBe(0);
});

test("a pair of doubles holds a sum that one would lose", () => {
  const pair = new Float64Array(2);
  for (const value of [1e16, 1, 1, 0.5, -1e16]) addToPair(pair, 0, value);
  expect(pair[0]! + pair[1]!).toBe(2.5);
});
