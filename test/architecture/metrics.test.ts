import { expect, test } from "@jest/globals";
import { labels, metrics, type MetricSpec } from "../../domain/metrics.ts";
import { sourceFiles } from "./source-files.ts";

test("every metric is reported by the program that its name begins with", () => {
  const folders: Record<string, string[]> = {
    firehose: ["local"],
    "event-source": ["local"],
    gateway: ["local"],
    "audit-output": ["lambda/audit-output"],
    events: ["local"],
    program: ["adapters"],
  };
  const reportedBy = (program: string): string =>
    (folders[program] ?? [program])
      .flatMap(sourceFiles)
      .map(({ code }) => code)
      .join("\n");
  const unreported = Object.entries<MetricSpec>(metrics).filter(([name, { label }]) => {
    const written = label === undefined ? `"${name}"` : `\`${name}{${label}="\${`;
    return !reportedBy(name.split(".")[0]!).includes(written);
  });
  expect(unreported).toEqual([]);
});

test("no value of a label is given twice, or breaks the form of a series", () => {
  for (const values of Object.values<readonly string[]>(labels)) {
    expect(new Set(values).size).toBe(values.length);
    expect(values.filter((value) => !/^[\w.-]+$/.test(value))).toEqual([]);
  }
});
