import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { JsonBytes, Piece } from "../../../processor/runtime/json-bytes.ts";

function written(write: (bytes: JsonBytes) => void): string {
  const bytes = new JsonBytes();
  bytes.begin();
  write(bytes);
  return bytes.memory.toString("utf8", bytes.from, bytes.to);
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

test("pieces and copies of bytes are written as they are", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "grapheme" })), (texts) => {
      const bytes = Buffer.from(texts.join(""));
      const write = (json: JsonBytes): void => {
        for (const text of texts) json.piece(new Piece(text));
        const { length } = json;
        json.copy(bytes, 1, bytes.length);
        json.again(length, json.length);
      };
      expect(written(write)).toBe(texts.join("") + bytes.toString("utf8", 1).repeat(2));
    }),
  );
});

test("what was written stays, also where the memory is full and where a record is larger than it", () => {
  const bytes = new JsonBytes();
  const written: (readonly [memory: Buffer, from: number, to: number])[] = [];
  const texts = Array.from({ length: 300 }, (_, i) => String(i).repeat(i === 200 ? 100_000 : 100));
  for (const text of texts) {
    bytes.begin();
    bytes.raw("[");
    bytes.text(text);
    bytes.piece(new Piece("]"));
    written.push([bytes.memory, bytes.from, bytes.to]);
  }
  expect(written.map(([memory, from, to]) => memory.toString("utf8", from, to))).toEqual(
    texts.map((text) => `["${text}"]`),
  );
});
