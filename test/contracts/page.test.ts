import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { deadLetterCodes } from "../../domain/errors.ts";

test("the page knows every code of a dead letter, and no other", () => {
  const file = readFileSync(join(import.meta.dirname, "..", "..", "dashboard", "dead-letter-codes.js"), "utf8");
  expect([...file.matchAll(/^ {2}"(.+)",$/gm)].map(([, code]) => code)).toEqual(Object.keys(deadLetterCodes));
});
