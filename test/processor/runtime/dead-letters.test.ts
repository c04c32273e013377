import { createHash } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import { letterOf, shortened, sizeOf } from "../../../processor/runtime/dead-letters.ts";

const own = { "error-code": "invalid-json" };
/** Longer than the value's own headers: full-size, full-sha256 and cut with their values. */
const OWN_BYTES = "error-codeinvalid-json".length;
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

describe("a dead letter", () => {
  test("that fits has its source's key, value and headers as they were", () => {
    const source = { key: Buffer.from("k"), value: Buffer.from("value"), headers: { a: "b" } };
    expect(letterOf(source, own, 1 + 5 + 2 + OWN_BYTES)).toEqual({ ...source, headers: { a: "b", ...own } });
  });

  test("of a value that does not fit has the beginning of it, its full size and its hash", () => {
    const value = Buffer.alloc(1_000, 7);
    const letter = letterOf({ key: Buffer.from("k"), value, headers: { a: "b" } }, own, 500);
    expect(letter.headers).toEqual({ a: "b", ...own, "full-size": "1000", "full-sha256": sha256(value), cut: "value" });
    expect(letter.key).toEqual(Buffer.from("k"));
    expect(Buffer.alloc(1_000, 7).subarray(0, letter.value!.length).equals(letter.value!)).toBe(true);
    expect(sizeOf(letter.key, letter.value, letter.headers)).toBe(500);
  });

  test("of headers that do not fit has none of them, and of a key that does not fit the beginning", () => {
    const headers = { long: "x".repeat(400) };
    expect(letterOf({ key: null, value: Buffer.alloc(9), headers }, own, 400)).toMatchObject({
      key: null,
      headers: { ...own, "full-size": "9", cut: "value, headers" },
    });
    const letter = letterOf({ key: Buffer.alloc(900, 1), value: null, headers }, own, 400);
    expect(letter.key).toEqual(Buffer.alloc(100, 1));
    expect(letter.headers).toMatchObject({ "full-size": "0", cut: "value, headers, key" });
    expect(sizeOf(letter.key, letter.value, letter.headers)).toBeLessThanOrEqual(400);
  });
});

test("a letter that fits exactly without its value keeps its headers", () => {
  const source = { key: null, value: Buffer.alloc(900), headers: { long: "x".repeat(400) } };
  const described = {
    ...source.headers,
    ...own,
    "full-size": "900",
    "full-sha256": sha256(source.value),
    cut: "value",
  };
  const bytes = sizeOf(null, null, described);
  expect(letterOf(source, own, bytes)).toEqual({ key: null, value: Buffer.alloc(0), headers: described });
  expect(letterOf(source, own, bytes - 1).headers["long"]).toBeUndefined();
});

test("a letter whose own headers alone do not fit has them all the same", () => {
  const source = { key: Buffer.alloc(900, 1), value: Buffer.alloc(900, 2), headers: { long: "x" } };
  const letter = letterOf(source, { ...own, "error-message": "x".repeat(500) }, 400);
  expect(letter).toMatchObject({ key: Buffer.alloc(100, 1), value: Buffer.alloc(0) });
  expect(letter.headers).toMatchObject({ "error-message": "x".repeat(500), cut: "value, headers, key" });
});

test("an error message of more than 2,000 characters is cut, and says how long it was", () => {
  expect(shortened("x".repeat(2_000))).toBe("x".repeat(2_000));
  const cut = shortened("x".repeat(2_001));
  expect(cut).toBe(`${"x".repeat(1_981)}… (2001 characters)`);
  // What was cut stays as it is: a replay that reads it writes the same.
  expect(shortened(cut)).toBe(cut);
});
