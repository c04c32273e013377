// `npm run alarms -- [--all] [--home DIR]`: how the alarms of a running `npm start` stand.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { flag, parseCommandLine, text } from "../adapters/command-line.ts";
import { runCommand } from "../adapters/run-command.ts";
import { LOOPBACK } from "../config/local.ts";
import { MillraceError } from "../domain/errors.ts";
import type { AlarmStatus } from "./alarms.ts";

const USAGE = `npm run alarms -- [--all] [--home DIR]
Prints the alarms of a running npm start that are on, with since when and their runbooks.
  --all       those that are not on, too
  --home DIR  the folder of that start (MILLRACE_HOME, or .millrace)`;

await runCommand(async (args) => {
  const { values } = parseCommandLine(args, { usage: USAGE, options: { all: flag, home: text } });
  const home = resolve(values.home ?? (process.env["MILLRACE_HOME"] || join(import.meta.dirname, "..", ".millrace")));
  const alarms = await readAlarms(home);
  const shown = values.all ? alarms : alarms.filter(({ state }) => state === "ALARM");
  for (const alarm of shown) console.log(line(alarm));
  if (shown.length === 0) console.log("no alarm is on");
});

/** @throws MillraceError `server-failed` when nothing runs from this folder */
async function readAlarms(home: string): Promise<AlarmStatus[]> {
  try {
    const { statusPort } = JSON.parse(readFileSync(join(home, "run.json"), "utf8")) as { statusPort?: number };
    const response = await fetch(`http://${LOOPBACK}:${statusPort}/alarms`, { signal: AbortSignal.timeout(5_000) });
    return (await response.json()) as AlarmStatus[];
  } catch (error) {
    const message = `no platform answers that runs from ${home}: is npm start up? (${(error as Error).message})`;
    throw new MillraceError("server-failed", message, { cause: error });
  }
}

function line({ spec, state, sinceMs, value, suppressedBy }: AlarmStatus): string {
  const { severity, name, means, comparison, threshold, unit, runbook } = spec;
  const figure = value === null ? "no value" : `${Number(value.toPrecision(4))} ${unit}`;
  const why = suppressedBy === null ? "" : ` (explained by ${suppressedBy})`;
  return [
    `${state} ${severity} ${name}${why} since ${new Date(sinceMs).toISOString()}`,
    `  ${means}: ${figure}, alarm at ${comparison} ${threshold}`,
    `  docs/runbooks/${runbook}.md`,
  ].join("\n");
}
