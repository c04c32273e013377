import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { rules } from "./rules/index.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/semantics.md"), "utf8");
/** First cells of all tables, without heads and rules. */
const documented = page
  .split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| rule (name"))
  .map((line) => line.split(" | ")[0]!.slice(2));

test("docs/semantics.md has a row for each rule that is tested, and no other", () => {
  expect(new Set(documented)).toEqual(new Set(rules.map((rule) => rule.name)));
});

test("no rule is there twice", () => {
  expect(new Set(rules.map((rule) => rule.name)).size).toBe(rules.length);
  expect(new Set(documented).size).toBe(documented.length);
});
