import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { metrics } from "../../domain/metrics.ts";
import { semanticsTable } from "../../domain/semantics.ts";

const root = join(import.meta.dirname, "..", "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");

/** Programs whose collections live long. A command ends, and so do the test driver's pipelines. */
const sources = globSync("{adapters,bridge,lambda,live,processor}/**/*.ts", { cwd: root }).filter(
  (path) => !path.startsWith("processor/commands/") && !path.startsWith("processor/driver/") && !path.endsWith(".d.ts"),
);
/** A field of a class, or a variable of a module, that begins as an empty collection. */
const NAME = String.raw`^(?:  (?:readonly )?(#?\w+)|(?:export )?(?:const|let) (\w+))(?:: [^=\n]+)?`;
const COLLECTION = new RegExp(String.raw`${NAME} = (?:new (?:Weak)?(?:Map|Set)\b[^\n]*\(\)|\[\]);`, "gm");

const rows = read("docs/bounds.md")
  .split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| collection"))
  .map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
const named = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);

test("docs/bounds.md names every collection that lives longer than a call, and no other", () => {
  const found = sources.flatMap((path) =>
    [...read(path).matchAll(COLLECTION)].map(([, field, variable]) => `${path} ${field ?? variable}`),
  );
  const documented = rows.map(([cell]) => named(cell!)).filter((names) => names.length === 2);
  expect(documented.map((names) => names.join(" ")).toSorted()).toEqual(found.toSorted());
});

describe.each(rows.filter((cells) => cells.length === 5))("%s", (_, bound, then, metric, filledBy) => {
  test("has bounds that the code names", () => {
    const code = [...sources, ...globSync("{domain,config/settings}/*.ts", { cwd: root })].map(read).join("\n");
    for (const name of named(bound!))
      if (!(name in semanticsTable)) expect([name, new RegExp(`\\b${name}\\b`).test(code)]).toEqual([name, true]);
    expect(then).not.toBe("");
  });

  test("has a metric and a test that exist", () => {
    for (const name of named(metric!)) expect(Object.keys(metrics)).toContain(name);
    for (const path of named(filledBy!)) {
      expect([path, existsSync(join(root, path))]).toEqual([path, true]);
      const title = filledBy!.slice(filledBy!.indexOf(": ") + 2);
      expect(read(path)).toContain(title);
    }
  });
});
