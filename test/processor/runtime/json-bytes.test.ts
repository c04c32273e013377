import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { JsonBytes } from "../../../processor/runtime/json-bytes.ts";

function written(write: (bytes: JsonBytes) => void): string {
  const bytes = new JsonBytes();
  write(bytes);
  return bytes.take().toString();
}

test.each([
  [0, "0"],
  [-0, "0"],
  [-7, "-7"],
  [150.25, "150.25"],
  [0.05, "0.05"],
  [-0.5, "-0.5"],
  [1.1, "1.1"],
  [0.0125, "0.0125"],
  [0.1 + 0.2, "0.30000000000000004"],
  [1_768_314_645_123, "1768314645123"],
  [9_007_199_254_740_991, "9007199254740991"],
  [1e21, "1e+21"],
  [1e-7, "1e-7"],
  [NaN, "null"],
])("the number %d is written as %s", (x, text) => {
  expect(written((bytes) => bytes.number(x))).toBe(text);
});

test("every number is written as JSON has it", () => {
  const decimals = fc
    .tuple(fc.maxSafeInteger(), fc.constantFrom(10, 100, 1_000, 10_000, 1e6))
    .map(([n, scale]) => n / scale);
  fc.assert(
    fc.property(fc.oneof(fc.double(), fc.integer(), fc.maxSafeInteger(), decimals), (x) => {
      expect(written((bytes) => bytes.number(x))).toBe(JSON.stringify(x));
    }),
    { numRuns: 5_000 },
  );
});

test("every text is written as JSON has it, half a surrogate pair included", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(written((bytes) => bytes.text(text))).toBe(JSON.stringify(text));
    }),
  );
  expect(written((bytes) => bytes.text('a"\u{d800}\n'))).toBe(String.raw`"a\"\ud800\n"`);
});

test("what was taken stays, also where the memory is full and where a record is larger than it", () => {
  const bytes = new JsonBytes();
  const taken = [];
  const texts = Array.from({ length: 300 }, (_, i) => String(i).repeat(i === 200 ? 100_000 : 100));
  for (const text of texts) {
    bytes.raw("[");
    bytes.text(text);
    bytes.raw("]");
    taken.push(bytes.take());
  }
  expect(taken.map(String)).toEqual(texts.map((text) => `["${text}"]`));
});
