import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { alarms } from "../../domain/alarms.ts";
import { metrics } from "../../domain/metrics.ts";

const root = join(import.meta.dirname, "..", "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const named = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);

const rows = read("docs/failure-modes.md")
  .split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| cause"))
  .map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

test("each alarm has a row of docs/failure-modes.md", () => {
  const raised = new Set(rows.flatMap(([, , , alarm]) => named(alarm!)));
  expect([...raised].toSorted()).toEqual(alarms.map(({ name }) => name).toSorted());
});

describe.each(rows)("%s", (...[, then, detection, alarm, shownBy]) => {
  test("has a consequence, metrics, a runbook and a test that exist", () => {
    expect(then).not.toBe("");
    for (const name of named(detection!)) expect(Object.keys(metrics)).toContain(name);
    for (const [, links, runbook] of alarm!.matchAll(/\[([^\]]+)\]\(runbooks\/([\w-]+)\.md\)/g))
      for (const name of named(links!))
        expect([name, alarms.find((one) => one.name === name)?.runbook]).toEqual([name, runbook]);
    const [path] = named(shownBy!);
    expect([path, existsSync(join(root, path!))]).toEqual([path, true]);
    expect(read(path!)).toContain(shownBy!.slice(shownBy!.indexOf(": ") + 2));
  });
});
