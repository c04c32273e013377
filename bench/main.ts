/** `npm run bench`: measures Millrace on real servers, on this machine. */
import { join } from "node:path";
import { compareVersions, comparisonProblem } from "./compare.ts";
import { engineScenarios } from "./engine-scenarios.ts";
import { flink } from "./flink.ts";
import { hour } from "./hour.ts";
import { type BenchOptions, parseBenchOptions, usage } from "./options.ts";
import { platform } from "./platform.ts";
import { recovery } from "./recovery.ts";
import { Bench, type Scenario } from "./scenario.ts";
import { store } from "./store.ts";
import { targets } from "./targets.ts";

/** All scenarios, in the order of a run without `--only`. */
const scenarios: Readonly<Record<string, Scenario>> = {
  ...engineScenarios,
  recovery,
  platform,
  store,
  hour,
  flink,
  targets,
};

let options: BenchOptions;
try {
  const parsed = parseBenchOptions(process.argv.slice(2), Object.keys(scenarios));
  if (parsed === "help") {
    console.log(usage(scenarios));
    process.exit(0);
  }
  options = parsed;
  const problem = options.compare === undefined ? undefined : comparisonProblem(options.only ?? []);
  if (problem !== undefined) throw new Error(problem);
} catch (error) {
  console.error(`${(error as Error).message}\n${usage(scenarios)}`);
  process.exit(2);
}

const bench = new Bench(options, join(import.meta.dirname, ".."));
const all = Object.keys(scenarios).filter((name) => !scenarios[name]!.onlyByName);
if (options.compare !== undefined) await compareVersions(bench, options.compare);
else for (const name of options.only ?? all) await scenarios[name]!.run(bench);
if (options.json) console.log(JSON.stringify(bench.results, null, 2));
