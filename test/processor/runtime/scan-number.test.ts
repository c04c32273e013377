import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { scanNumber, scannedTo } from "../../../processor/runtime/scan-number.ts";

/** The expected number is that of JSON.parse, the sign of zero included. */
function expectAsParsed(text: string): void {
  const bytes = Buffer.from(`${text},`);
  expect([scanNumber(bytes, 0), scannedTo()]).toEqual([JSON.parse(text), text.length]);
}

const runs = { numRuns: 5_000 };
const digits = (minLength: number, maxLength: number): fc.Arbitrary<string> =>
  fc.stringMatching(new RegExp(`^[0-9]{${minLength},${maxLength}}$`));
const sign = fc.constantFrom("", "-");
const whole = fc.oneof(fc.constant("0"), fc.stringMatching(/^[1-9][0-9]{0,24}$/));

test("the text of a double or a float is read as JSON.parse reads it", () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) =>
      expectAsParsed(Object.is(value, -0) ? "-0" : String(value)),
    ),
    runs,
  );
  fc.assert(
    fc.property(fc.float({ noNaN: true, noDefaultInfinity: true, min: -320, max: 320 }), (value) =>
      expectAsParsed(JSON.stringify(value)),
    ),
    runs,
  );
});

test("any digits with any point and exponent are read as JSON.parse reads them", () => {
  const exponent = fc.oneof(
    fc.constant(""),
    fc.tuple(fc.constantFrom("e", "E"), fc.constantFrom("", "+", "-"), digits(1, 3)).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(
      sign,
      whole,
      fc.oneof(
        fc.constant(""),
        digits(1, 30).map((fraction) => `.${fraction}`),
      ),
      exponent,
      (...parts) => expectAsParsed(parts.join("")),
    ),
    runs,
  );
});

test("a number halfway between two doubles, or next to that, is rounded as JSON.parse rounds it", () => {
  // An odd integer of 54 bits lies halfway. Divided by a power of two it still does, and its decimals end.
  const halfway = fc
    .tuple(fc.bigInt({ min: 2n ** 52n, max: 2n ** 53n - 1n }), fc.integer({ min: 0, max: 20 }))
    .map(([half, shift]) => {
      const scaled = (2n * half + 1n) * 5n ** BigInt(shift);
      const text = scaled.toString().padStart(shift + 1, "0");
      return shift === 0 ? text : `${text.slice(0, -shift)}.${text.slice(-shift)}`;
    });
  fc.assert(
    fc.property(halfway, fc.constantFrom("", "1", "0"), (text, more) =>
      expectAsParsed(text + (text.includes(".") ? more : "")),
    ),
    runs,
  );
  fc.assert(
    fc.property(halfway, fc.integer({ min: 0, max: 9 }), (text, last) => expectAsParsed(text.slice(0, -1) + last)),
    runs,
  );
});

test.each(["", "-", "+1", "01", "-01", ".5", "1.", "1.e3", "1e", "1e+", "x", "NaN", "Infinity"])(
  "%j is not a number",
  (text) => {
    const value = scanNumber(Buffer.from(`${text},`), 0);
    expect(Number.isNaN(value) || scannedTo() !== text.length).toBe(true);
  },
);
