import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { parse } from "yaml";
import { alarms } from "../../../domain/alarms.ts";
import { dashboards, type Graph } from "../../../domain/dashboards.ts";
import { metrics, type MetricName } from "../../../domain/metrics.ts";
import { prometheusName } from "../../../domain/prometheus.ts";
import { promql } from "../../../local/prometheus/promql.ts";

const root = join(import.meta.dirname, "../../..");
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-observability-"));
  expect(command("--out", folder, "--market")).toMatchObject({ status: 0 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function command(...args: string[]): { status: number | null; stderr: string } {
  const program = ["local/bootstrap.mjs", "local/prometheus/main.ts", ...args];
  return spawnSync(process.execPath, program, { cwd: root, encoding: "utf8" });
}

const read = (name: string): string => readFileSync(join(folder, name), "utf8");
const rules = (): { alert: string; expr: string; for?: string }[] => parse(read("rules.yml")).groups[0].rules;
const panels = (): { type: string; title: string; targets?: { expr: string }[] }[] =>
  JSON.parse(read("grafana.json")).panels;

test("Prometheus' own tool accepts the config and every rule", () => {
  const result = spawnSync("promtool", ["check", "config", join(folder, "prometheus.yml")], { encoding: "utf8" });
  if (result.error) return console.warn("no promtool: the config is not checked (Debian's package prometheus has it)");
  expect(result.stdout + result.stderr).toContain(`SUCCESS: ${rules().length} rules found`);
  expect(result.status).toBe(0);
});

test("every alarm with a figure is a rule", () => {
  const expected = alarms.filter(({ figure }) => figure).map(({ name }) => name);
  expect(rules().map(({ alert }) => alert)).toEqual(expected);
});

test("every graph with a figure is a panel, in the row of its dashboard", () => {
  const expected = Object.entries<readonly Graph[]>(dashboards).flatMap(([name, graphs]) => [
    `${name[0]!.toUpperCase()}${name.slice(1)}`,
    ...graphs.filter(({ lines }) => lines.some(({ figure }) => figure)).map(({ title }) => title),
  ]);
  expect(panels().map(({ title }) => title)).toEqual(expected);
});

test("every expression asks for metrics of the closed set", () => {
  const known = new Set((Object.keys(metrics) as MetricName[]).map(prometheusName));
  const expressions = [...rules(), ...panels().flatMap(({ targets = [] }) => targets)].map(({ expr }) => expr);
  const asked = expressions.flatMap((expr) => expr.match(/millrace_\w+/g) ?? []);
  expect(asked.length).toBeGreaterThan(expressions.length);
  expect(asked.filter((name) => !known.has(name.replace(/_bucket$/, "")))).toEqual([]);
});

test("figures are in our units, and a processor's are of its pipeline", () => {
  expect(promql({ of: "gauge", gauge: "processor.lag", statistic: "Minimum" }, "market", 60_000)).toBe(
    'max(min_over_time(millrace_processor_lag{program="processor-market"}[60s]))',
  );
  expect(promql({ of: "p99", timing: "processor.snapshot-duration" }, undefined, 300_000)).toBe(
    "1000 * max(histogram_quantile(0.99, sum by (program, le) " +
      "(rate(millrace_processor_snapshot_duration_seconds_bucket[300s]))))",
  );
});

test("with a home folder the targets are its programs", () => {
  const home = mkdtempSync(join(folder, "home-"));
  expect(command("--out", home, "--home", home)).toMatchObject({ status: 1 });
  writeFileSync(join(home, "run.json"), JSON.stringify({ healthPorts: { bridge: 4001, processor: 4002 } }));
  expect(command("--out", home, "--home", home)).toMatchObject({ status: 0 });
  const { scrape_configs: jobs } = parse(readFileSync(join(home, "prometheus.yml"), "utf8"));
  expect(jobs[0].static_configs).toEqual([{ targets: ["127.0.0.1:4001", "127.0.0.1:4002"] }]);
});
