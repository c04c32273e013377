import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { serviceMetrics, type AlarmSpec, type Figure } from "../../domain/alarm-spec.ts";
import { alarms } from "../../domain/alarms.ts";
import { deadLetterCodes } from "../../domain/errors.ts";
import { seriesParts, type Series } from "../../domain/metrics.ts";
import { MINUTE, SECOND } from "../../domain/time.ts";

const page = readFileSync(join(import.meta.dirname, "..", "..", "docs", "observability.md"), "utf8");

const code = (text: string): string => `\`${text}\``;

/** Metrics with labels are one metric with the values of the label. */
function counted(counters: readonly string[]): string {
  const parts = counters.map((series) => seriesParts(series as Series));
  const names = [...new Set(parts.map(({ name }) => name))].map(code).join(" + ");
  const values = [...new Set(parts.flatMap(({ label }) => (label ? [label.value] : [])))];
  return values.length > 0 ? `${names} of ${values.map(code).join(", ")}` : names;
}

function described(figure: Figure): string {
  if (figure.of === "growth") return `growth of ${counted(figure.counters)}`;
  if (figure.of === "gauge") return `${figure.statistic.toLowerCase()} of ${code(figure.gauge)}`;
  if (figure.of === "p99") return `p99 of ${code(figure.timing)}`;
  return `${code(figure.part)} in % of ${code(figure.whole)}`;
}

function duration({ periodMs, periods }: AlarmSpec): string {
  const period = periodMs >= MINUTE ? `${periodMs / MINUTE} min` : `${periodMs / SECOND} s`;
  return periods === 1 ? period : `${periods} × ${period}`;
}

function row(alarm: AlarmSpec): string {
  const { name, runbook, severity, means, figure, service, comparison, threshold, unit, missing, suppressedBy } = alarm;
  const limit = `${comparison} ${threshold.toLocaleString("en-US")} ${unit}, ${duration(alarm)}`;
  const cells = [
    `[${code(name)}](runbooks/${runbook}.md)`,
    severity,
    means,
    missing === "breaching" ? `${limit}; or no value` : limit,
    figure ? described(figure) : "only on AWS",
    service ? serviceMetrics[service] : "the same figure",
    suppressedBy ? suppressedBy.map(code).join(", ") : "–",
  ];
  return `| ${cells.join(" | ")} |`;
}

test("docs/observability.md lists the alarms", () => {
  const rows = page.split("\n").filter((line) => line.startsWith("| [`"));
  expect(rows).toEqual(alarms.map(row));
});

test("every code of a dead letter raises exactly one alarm, apart from a flood", () => {
  const raised = alarms.flatMap(({ figure }) =>
    figure?.of === "growth"
      ? figure.counters.flatMap((series) => seriesParts(series as Series).label?.value ?? [])
      : [],
  );
  // A refused model counts in a metric of its own, also where it was refused at a start.
  const models = ["model-refused"];
  // The bridge's letters and the processors' are two counters.
  expect([...raised, ...models, ...models].toSorted()).toEqual(
    Object.keys(deadLetterCodes)
      .flatMap((each) => [each, each])
      .toSorted(),
  );
});
