import {
  largeState,
  latency,
  marketThroughput,
  readingsPerSecond,
  throughput,
  type LargeState,
  type Latency,
  type Throughput,
} from "./engine.ts";
import type { Load } from "./load.ts";
import { longRun } from "./long-run.ts";
import type { MarketLoad } from "./market-load.ts";
import { million, type Bench, type Scenario } from "./scenario.ts";

/** The shipped model has hops of 250 ms. */
const HOPS_PER_SECOND = 4;
const DEFAULT_MESSAGES = 400_000;
const DEFAULT_TRADES = 1_000_000;
const DEFAULT_LATENCY_SECONDS = 20;

/** The load of a filled topic. */
export function standardLoad(bench: Bench): Load {
  return { sensors: 200, messages: bench.options.messages ?? DEFAULT_MESSAGES, partitions: 2, format: "json" };
}

/** The load of the market's filled topic. */
export function marketLoad(bench: Bench): MarketLoad {
  return { symbols: 200, trades: bench.options.trades ?? DEFAULT_TRADES, partitions: 2 };
}

export function showThroughput(
  { perCpuSecond, warmPerCpuSecond, perSecond, peakMb, check }: Omit<Throughput, "readings">,
  what = "readings",
): string {
  return [
    `${million(perCpuSecond)} ${what}/CPU s (warm ${million(warmPerCpuSecond)})`,
    `${million(perSecond)}/s`,
    `${peakMb.toFixed(0)} MB`,
    check,
  ].join("   ");
}

/** Fills a topic, reads it through, and reports it under `name`. */
export async function measure(
  bench: Bench,
  name: string,
  load: Partial<Load>,
  outputs: "all" | "windows",
  model?: string,
): Promise<Throughput> {
  const result = await throughput({ ...standardLoad(bench), ...load }, outputs, bench.folder(name), model);
  bench.report(name, result, showThroughput(result));
  return result;
}

/** Share of a core that scoring 1,000 sensors at 200 Hz takes, all outputs included. */
export async function measureInference(bench: Bench): Promise<number> {
  const model = bench.path("models", "activity");
  const { perCpuSecond } = await measure(bench, "inference, 1000 sensors", { sensors: 1_000 }, "all", model);
  const readings = readingsPerSecond(1_000);
  const inferences = 1_000 * HOPS_PER_SECOND;
  const share = readings / perCpuSecond;
  bench.report(
    "  in real time",
    { readingsPerSecond: readings, inferencesPerSecond: inferences, cores: share },
    `1,000 sensors at 200 Hz: ${million(readings)} readings/s, ${inferences} inferences/s ` +
      `take ${(share * 100).toFixed(0)} % of a core`,
  );
  return share;
}

export async function measureLatency(bench: Bench): Promise<Latency> {
  const result = await latency(200, 2_000, bench.options.seconds ?? DEFAULT_LATENCY_SECONDS, bench.folder("latency"));
  bench.report(
    "latency, 2000 messages/s",
    result,
    `record to committed window p50 ${result.p50} ms, p99 ${result.p99} ms`,
  );
  return result;
}

export async function measureState(bench: Bench): Promise<LargeState> {
  const result = await largeState(1_000, 300_000, bench.folder("state"));
  bench.report("state, 1000 sensors", result, `${result.windows} windows kept: ${result.peakMb.toFixed(0)} MB`);
  return result;
}

/** What measures the processor alone. */
export const engineScenarios = {
  windows: {
    about: "windows only, JSON messages",
    run: async (bench) => void (await measure(bench, "windows", {}, "windows")),
  },
  packed: {
    about: "windows only, packed messages",
    run: async (bench) => void (await measure(bench, "packed", { format: "packed" }, "windows")),
  },
  all: {
    about: "all outputs except inference",
    run: async (bench) => void (await measure(bench, "all", {}, "all")),
  },
  sensors: {
    about: "windows only, with 10, 1,000 and 10,000 sensors",
    run: async (bench) => {
      for (const sensors of [10, 1_000, 10_000])
        await measure(bench, `windows, ${sensors} sensors`, { sensors }, "windows");
    },
  },
  inference: {
    about: "all outputs of 1,000 sensors, with the shipped model",
    run: async (bench) => void (await measureInference(bench)),
  },
  market: {
    about: "everything of the market, 200 symbols",
    run: async (bench) => {
      const result = await marketThroughput(marketLoad(bench), bench.folder("market"));
      bench.report("market, 200 symbols", result, showThroughput(result, "trades"));
    },
  },
  latency: {
    about: "latency at 2,000 messages per second",
    run: async (bench) => void (await measureLatency(bench)),
  },
  state: {
    about: "1,000 sensors with five minutes of allowed lateness, in real time: memory",
    run: async (bench) => void (await measureState(bench)),
  },
  long: {
    about: "an hour of 100 sensors in one machine: memory and snapshots",
    run: async (bench) => {
      bench.results["long"] = await longRun(100, 60, ({ minute, heapMb, rssMb, snapshotMb, generations }) => {
        const memory = `heap ${heapMb.toFixed(0)} MB   resident ${rssMb.toFixed(0)} MB`;
        const snapshots = `snapshots ${snapshotMb.toFixed(1)} MB in ${generations} generations`;
        bench.print(`${`long run, minute ${minute}`.padEnd(24)} ${memory}   ${snapshots}`);
      });
    },
  },
} satisfies Record<string, Scenario>;
