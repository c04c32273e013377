import { expect, test } from "@jest/globals";
import { parseVerbatim, verbatimNumber } from "../../domain/verbatim-json.ts";

test.each([
  '{"a":1.10,"b":9007199254740993,"c":[1e5,-0.0,{"d":12345678901234567890.123}]}',
  '{"a":"1.10","b":null,"c":true,"d":[],"e":{}}',
  "150.250",
])("%s is written as it was read", (text) => {
  expect(JSON.stringify(parseVerbatim(text))).toBe(text);
});

test("a text is a number where JSON says so", () => {
  const written = (text: string): string | undefined => JSON.stringify(verbatimNumber(text));
  expect(["0", "-1.50", "1E+2", "9007199254740993"].map(written)).toEqual(["0", "-1.50", "1E+2", "9007199254740993"]);
  expect(["", "01", "1.", ".5", "+1", "NaN", "1 ", "0x10", "Infinity"].map(written)).toEqual(Array(9).fill(undefined));
});
