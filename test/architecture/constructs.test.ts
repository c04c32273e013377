import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { sourceFiles } from "./source-files.ts";

// Constructs as any stack can use them: scope, id and props, nothing of an environment's config.
// https://docs.aws.amazon.com/cdk/v2/guide/constructs.html#constructs-author

const root = join(import.meta.dirname, "..", "..");
/** What makes functions of this project's folder `lambda/`, in an environment: a function is a `NodeFunction`. */
const OF_ENVIRONMENT = ["lib/constructs/millrace-function.ts", "lib/constructs/millrace-stack.ts"];

const constructs = ["lib/constructs", "lib/reusable"]
  .flatMap(sourceFiles)
  .filter(({ path, code }) => /^export class \w+ extends /m.test(code) && !OF_ENVIRONMENT.includes(path));

test("there are constructs", () => {
  expect(constructs.length).toBeGreaterThan(13);
});

describe.each(constructs.map((file) => [file.path, file] as const))("the construct of %s", (path, { code, files }) => {
  test("takes scope, id and props", () => {
    const [, extended = ""] = /^export class \w+ extends ([\w.]+)/m.exec(code) ?? [];
    expect(["Construct", "logs.LogGroup", "sqs.Queue"]).toContain(extended);
    expect(code).toMatch(/constructor\(\s*scope: Construct,\s*id: string,\s*(props|\{[^}]*\}): \w+Props,?\s*\)/);
  });

  test("has no config inside", () => {
    expect(files.filter((file) => file.startsWith("config/"))).toEqual([]);
    expect(files.filter((file) => OF_ENVIRONMENT.includes(file))).toEqual([]);
    expect(code).not.toMatch(/\bconfig\.\w|\{ config\b|process\.env/);
  });

  test("says of each prop that may be left out what holds then", () => {
    const text = readFileSync(join(root, path), "utf8");
    const props = text.slice(text.indexOf("Props "), text.indexOf("\n}\n", text.indexOf("Props ")));
    for (const [, doc = "", prop = ""] of props.matchAll(/((?: {2}(?:\/\*\*| \*).*\n)*) {2}readonly (\w+)\?:/g))
      expect(`${prop}: ${doc}`).toContain("@default");
  });
});
