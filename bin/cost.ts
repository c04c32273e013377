/**
 * `npm run cost -- --env prod --sensors 1000 --rate 200`: what an environment would cost a month, from its own
 * templates.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { App } from "aws-cdk-lib";
import { environment, environmentNames } from "../config/environments/index.ts";
import { MillraceError } from "../domain/errors.ts";
import { root } from "../lib/bundles.ts";
import { assumptions, estimate, type Workload } from "../lib/cost/estimate.ts";
import { inventoryOf, type BilledResource } from "../lib/cost/inventory.ts";
import { prices, PRICES_AS_OF, PRICES_REGION, sources } from "../lib/cost/prices.ts";
import { buildPlatform } from "../lib/platform.ts";

const USAGE = `npm run cost -- --env ${environmentNames.join("|")} --sensors N --rate HZ [--batch MS] [--format json|packed] [--viewers N] [--requests PER_SECOND] [--json]`;

try {
  run(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof MillraceError)) throw error;
  process.stderr.write(`${error.code}: ${error.message}\n`);
  process.exitCode = 1;
}

function run(args: string[]): void {
  const { env, load, json } = readArguments(args);
  const config = environment(env);
  const lines = estimate(inventoryOf(templatesOf(env), config), config, load);
  const total = lines.reduce((sum, { dollars }) => sum + dollars, 0);
  if (json)
    return void process.stdout.write(
      `${JSON.stringify({ environment: env, load, asOf: PRICES_AS_OF, region: PRICES_REGION, dollars: total, lines, assumptions }, null, 2)}\n`,
    );
  const services = [...new Set(lines.map(({ service }) => service))].map((service) => ({
    service,
    of: lines.filter((line) => line.service === service),
  }));
  const dollars = (value: number): string => value.toFixed(2).padStart(12);
  process.stdout.write(
    `${env}: ${load.sensors} sensors at ${load.rateHz} Hz, ${load.format} messages of ${load.batchMs} ms\n\n`,
  );
  for (const { service, of } of services.toSorted((a, b) => sumOf(b.of) - sumOf(a.of))) {
    process.stdout.write(`${service.padEnd(52)}${dollars(sumOf(of))}\n`);
    for (const line of of)
      process.stdout.write(
        `  ${line.what.padEnd(30)}${line.quantity.toFixed(2).padStart(14)} × ${prices[line.price].dollars} per ${prices[line.price].per}\n`,
      );
  }
  process.stdout.write(
    `${"a month, US dollars".padEnd(52)}${dollars(total)}\n\nList prices of ${PRICES_REGION} as of ${PRICES_AS_OF}, to be compared with the sources before a decision depends on them. It is supposed that:\n${assumptions.map((assumption) => `- ${assumption}`).join("\n")}\nSources: ${Object.values(sources).join(" ")}\n`,
  );
}

function sumOf(lines: readonly { readonly dollars: number }[]): number {
  return lines.reduce((sum, { dollars }) => sum + dollars, 0);
}

function readArguments(args: string[]): { env: string; load: Workload; json: boolean } {
  const problems: string[] = [];
  const { values } = parse(args);
  const number = (name: "sensors" | "rate" | "batch" | "viewers" | "requests", fallback?: number): number => {
    const text = values[name];
    const value = text === undefined ? fallback : Number(text);
    if (value === undefined || !Number.isFinite(value) || value < 0)
      problems.push(`--${name} is ${JSON.stringify(text)}: expected a number from 0`);
    return value ?? 0;
  };
  const load: Workload = {
    sensors: number("sensors"),
    rateHz: number("rate"),
    batchMs: number("batch", 1_000),
    format: values.format === "json" ? "json" : "packed",
    viewers: number("viewers", 10),
    requestsPerSecond: number("requests", 1),
  };
  if (values.format !== undefined && !["json", "packed"].includes(values.format))
    problems.push(`--format is ${JSON.stringify(values.format)}: expected json or packed`);
  if (load.batchMs < 100 || load.batchMs > 1_000)
    problems.push(`--batch is ${load.batchMs}: a message has 100 to 1,000 ms of readings`);
  if (values.env === undefined) problems.push(`--env is missing: one of ${environmentNames.join(", ")}`);
  if (problems.length > 0) throw new MillraceError("arguments-invalid", `${problems.join("\n  ")}\nusage: ${USAGE}`);
  return { env: values.env ?? "", load, json: values.json ?? false };
}

function parse(args: string[]): ReturnType<
  typeof parseArgs<{
    args: string[];
    options: {
      env: { type: "string" };
      sensors: { type: "string" };
      rate: { type: "string" };
      batch: { type: "string" };
      format: { type: "string" };
      viewers: { type: "string" };
      requests: { type: "string" };
      json: { type: "boolean" };
    };
  }>
> {
  const options = {
    env: { type: "string" },
    sensors: { type: "string" },
    rate: { type: "string" },
    batch: { type: "string" },
    format: { type: "string" },
    viewers: { type: "string" },
    requests: { type: "string" },
    json: { type: "boolean" },
  } as const;
  try {
    return parseArgs({ args, options });
  } catch (error) {
    throw new MillraceError(
      "arguments-invalid",
      `${error instanceof Error ? error.message : String(error)}\nusage: ${USAGE}`,
      { cause: error },
    );
  }
}

/** The resources of an environment's templates, made as a deployment would make them. */
function templatesOf(env: string): BilledResource[] {
  const outdir = mkdtempSync(join(tmpdir(), "millrace-cost-"));
  try {
    const { context } = JSON.parse(readFileSync(join(root, "cdk.json"), "utf8")) as {
      context: Record<string, unknown>;
    };
    const app = new App({ outdir, context, analyticsReporting: false });
    buildPlatform(app, environment(env));
    return app
      .synth()
      .stacks.flatMap(({ template }) =>
        Object.values((template as { Resources: Record<string, BilledResource> }).Resources),
      );
  } finally {
    rmSync(outdir, { recursive: true, force: true });
  }
}
