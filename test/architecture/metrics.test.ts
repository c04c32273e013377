import { expect, test } from "@jest/globals";
import { metrics } from "../../domain/metrics.ts";
import { sourceFiles } from "./source-files.ts";

test("every metric is reported by the program that its name begins with", () => {
  const folders: Record<string, string[]> = {
    firehose: ["local"],
    "event-source": ["local"],
    gateway: ["local"],
    "audit-output": ["lambda/audit-output"],
    events: ["local"],
  };
  const reportedBy = (program: string): string =>
    (folders[program] ?? [program])
      .flatMap(sourceFiles)
      .map(({ code }) => code)
      .join("\n");
  const unreported = Object.keys(metrics).filter((name) => !reportedBy(name.split(".")[0]!).includes(`"${name}"`));
  expect(unreported).toEqual([]);
});
