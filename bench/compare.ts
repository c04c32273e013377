import { topics } from "../domain/topics.ts";
import { withBenchServers } from "./bench-servers.ts";
import { ratioOf, showRatio } from "./distribution.ts";
import { marketLoad, standardLoad } from "./engine-scenarios.ts";
import { putInForce, readMarketThrough, readThrough, type Throughput } from "./engine.ts";
import { fill, type Load } from "./load.ts";
import { fillMarket } from "./market-load.ts";
import { million, type Bench } from "./scenario.ts";
import { DEFAULT_ROUNDS, inTurns } from "./turns.ts";
import { otherVersion, thisVersion, type Version } from "./versions.ts";

type Run = Omit<Throughput, "readings">;
/** Fills a topic once, and calls `compare` with what reads all of it by one version. */
type Comparison = (bench: Bench, compare: (run: (version: Version) => Promise<Run>) => Promise<void>) => Promise<void>;

function filled(load: Partial<Load>, outputs: "all" | "windows"): Comparison {
  return async (bench, compare) => {
    const whole = { ...standardLoad(bench), ...load };
    const options = { partitions: whole.partitions, folder: bench.folder("compare") };
    await withBenchServers(options, async ({ kafka, again }) => {
      const control = await putInForce(kafka, { outputs });
      const messages = await fill(kafka, whole, topics.imuData.name);
      const input = { messages, control, sensors: whole.sensors };
      await compare(async (version) => await readThrough(kafka, await again(), input, version));
    });
  };
}

/** What `--compare` can run: scenarios whose input is a filled topic. */
const comparisons: Readonly<Record<string, Comparison>> = {
  windows: filled({}, "windows"),
  packed: filled({ format: "packed" }, "windows"),
  all: filled({}, "all"),
  market: async (bench, compare) => {
    const load = marketLoad(bench);
    const options = { partitions: load.partitions, folder: bench.folder("compare"), inputs: [topics.trades.name] };
    await withBenchServers(options, async ({ kafka, again }) => {
      const trades = await fillMarket(kafka, load);
      await compare(async (version) => await readMarketThrough(kafka, await again(), trades, load, version));
    });
  },
};

/** The problem with `--only` of a comparison; undefined when there is none. */
export function comparisonProblem(only: readonly string[]): string | undefined {
  const wrong = only.filter((name) => !(name in comparisons));
  if (wrong.length === 0) return undefined;
  return `--compare does not run ${wrong.join(", ")}: expected ${Object.keys(comparisons).join(", ")}`;
}

/** Runs this version and another in turns over one filled topic, and reports the ratio per CPU second. */
export async function compareVersions(bench: Bench, revision: string): Promise<void> {
  const other = await otherVersion(revision);
  for (const name of bench.options.only ?? ["windows"]) {
    await comparisons[name]!(bench, async (run) => {
      const pairs = await inTurns(
        bench.options.rounds ?? DEFAULT_ROUNDS,
        () => run(thisVersion),
        () => run(other),
        ([own, others], round) =>
          bench.print(`  ${name}, round ${round}: ${showRun(own)}; ${revision}: ${showRun(others)}`),
      );
      const ratio = ratioOf(pairs.map(([own, others]) => [own.perCpuSecond, others.perCpuSecond]));
      bench.report(
        `${name} beside ${revision}`,
        { ratio, runs: pairs.map(([own, others]) => ({ this: own, other: others })) },
        `${showRatio(ratio)} per CPU second, in ${pairs.length} pairs`,
      );
    });
  }
}

function showRun({ perCpuSecond, peakMb, check }: Run): string {
  return `${million(perCpuSecond)}/CPU s, ${peakMb.toFixed(0)} MB, ${check}`;
}
