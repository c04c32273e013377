import { join } from "node:path";
import { parseArgs } from "node:util";
import { besideFlink, hasFlink } from "./flink.ts";
import type { Load } from "./load.ts";
import { longRun } from "./long-run.ts";
import { type Distribution, platformLatency } from "./platform.ts";
import { readingsPerSecond, largeState, latency, marketThroughput, throughput, type Throughput } from "./scenarios.ts";

const USAGE = `npm run bench -- [--only NAME,…] [options]: measures the processor on a real Kafka broker

  --only NAME,…      run these scenarios (all); a name may be given several times
  --messages N       messages of 20 readings in a filled topic (400000)
  --trades N         trades in a filled topic (1000000)
  --seconds S        length of a measurement (20)
  --sensors N        sensors of the scenario "platform" (200)
  --flink DIR        folder of the Flink job
  --flink-variant V  a, b or c (b)
  --json             print the results as JSON
  --help             show this text

Scenarios:
  windows    windows only, JSON messages
  packed     windows only, packed messages
  all        all outputs except inference
  sensors    windows only, with 10, 1,000 and 10,000 sensors
  inference  all outputs of 1,000 sensors, with the shipped model
  market     everything of the market, 200 symbols
  latency    latency at 2,000 messages per second, and recovery from kill -9
  state      1,000 sensors with five minutes of allowed lateness, in real time: memory, and recovery from kill -9
  platform   npm start with --sensors sensors at 200 Hz and ten WebSocket clients: from MQTT to WebSocket, hop by hop
  long       an hour of 100 sensors in one machine: memory and snapshots
  flink      the scenario "windows" in Apache Flink and in Millrace, over the same messages (needs port 9092)

CPU time is user and system time of the processor's process. It does not include the broker.`;

const root = join(import.meta.dirname, "..");

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    messages: { type: "string", default: "400000" },
    trades: { type: "string", default: "1000000" },
    seconds: { type: "string", default: "20" },
    sensors: { type: "string", default: "200" },
    flink: { type: "string" },
    "flink-variant": { type: "string", default: "b" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
/** The shipped model has hops of 250 ms. */
const HOPS_PER_SECOND = 4;
const messages = Number(values.messages);
const standard: Load = { sensors: 200, messages, partitions: 2, format: "json" };
const results: Record<string, object> = {};
const million = (value: number): string => `${(value / 1e6).toFixed(2)} M`;
const report = (name: string, result: object, line: string): void => {
  results[name] = result;
  if (!values.json) console.log(`${name.padEnd(24)} ${line}`);
};

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
const showThroughput = (
  { perCpuSecond, warmPerCpuSecond, perSecond, peakMb, check }: Omit<Throughput, "readings">,
  what = "readings",
): string =>
  [
    `${million(perCpuSecond)} ${what}/CPU s (warm ${million(warmPerCpuSecond)})`,
    `${million(perSecond)}/s`,
    `${peakMb.toFixed(0)} MB`,
    check,
  ].join("   ");
const showDistribution = ({ p50, p99 }: Distribution): string =>
  Number.isNaN(p50)
    ? "nothing arrived during the measurement: this machine is too slow"
    : `p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms`;
/** Kafka splits a list of folders at commas, so the name must not contain one. */
const folderOf = (name: string): string =>
  join(root, ".millrace", "bench", `${name.replaceAll(/\W+/g, "-")}-${process.pid}`);

async function measure(
  name: string,
  load: Partial<Load>,
  outputs: "all" | "windows",
  model?: string,
): Promise<Throughput> {
  const result = await throughput({ ...standard, ...load }, outputs, folderOf(name), model);
  report(name, result, showThroughput(result));
  return result;
}

const scenarios: Record<string, () => Promise<void>> = {
  windows: async () => void (await measure("windows", {}, "windows")),
  packed: async () => void (await measure("packed", { format: "packed" }, "windows")),
  all: async () => void (await measure("all", {}, "all")),
  sensors: async () => {
    for (const sensors of [10, 1_000, 10_000]) await measure(`windows, ${sensors} sensors`, { sensors }, "windows");
  },
  inference: async () => {
    const { perCpuSecond } = await measure(
      "inference, 1000 sensors",
      { sensors: 1_000 },
      "all",
      join(root, "models", "activity"),
    );
    const readings = readingsPerSecond(1_000);
    const inferences = 1_000 * HOPS_PER_SECOND;
    const share = readings / perCpuSecond;
    report(
      "  in real time",
      { readingsPerSecond: readings, inferencesPerSecond: inferences, cores: share },
      `1,000 sensors at 200 Hz: ${million(readings)} readings/s, ${inferences} inferences/s ` +
        `take ${(share * 100).toFixed(0)} % of a core`,
    );
  },
  market: async () => {
    const load = { symbols: 200, trades: Number(values.trades), partitions: 2 };
    const result = await marketThroughput(load, folderOf("market"));
    report("market, 200 symbols", result, showThroughput(result, "trades"));
  },
  latency: async () => {
    const result = await latency(200, 2_000, Number(values.seconds), folderOf("latency"));
    report(
      "latency, 2000 messages/s",
      result,
      `record to committed window p50 ${result.p50} ms, p99 ${result.p99} ms; ` +
        `first new window ${seconds(result.recoveryMs)} after kill -9`,
    );
  },
  state: async () => {
    const result = await largeState(1_000, 300_000, folderOf("state"));
    report(
      "state, 1000 sensors",
      result,
      `${result.windows} windows kept: ${result.peakMb.toFixed(0)} MB; ` +
        `first new window ${seconds(result.recoveryMs)} after kill -9, ${result.recoveredPeakMb.toFixed(0)} MB`,
    );
  },
  platform: async () => {
    const result = await platformLatency(Number(values.sensors), 200, 10, Number(values.seconds), folderOf("platform"));
    report(
      `platform, ${values.sensors} at 200 Hz`,
      result,
      `MQTT publish to WebSocket ${showDistribution(result.publishToWebSocket)} over ${result.messages} messages ` +
        `at ${Math.round(result.readingsPerSecond)} readings/s`,
    );
    for (const [hop, distribution] of Object.entries(result.hops))
      if (!values.json) console.log(`  ${hop.padEnd(28)} ${showDistribution(distribution)}`);
  },
  long: async () => {
    const footprints = await longRun(100, 60, ({ minute, heapMb, rssMb, snapshotMb, generations }) => {
      if (values.json) return;
      const memory = `heap ${heapMb.toFixed(0)} MB   resident ${rssMb.toFixed(0)} MB`;
      const snapshots = `snapshots ${snapshotMb.toFixed(1)} MB in ${generations} generations`;
      console.log(`${`long run, minute ${minute}`.padEnd(24)} ${memory}   ${snapshots}`);
    });
    results["long"] = footprints;
  },
  flink: async () => {
    const folder = values.flink;
    if (folder === undefined || !hasFlink(folder))
      return report("flink", { skipped: true }, "skipped: --flink DIR must name the folder of the Flink job");
    const variant = values["flink-variant"];
    const { flink, millrace } = await besideFlink(
      standard,
      variant,
      folder,
      folderOf("flink"),
      join(root, ".millrace", "flink"),
    );
    report(
      `flink ${variant}, parallelism 1`,
      flink,
      `${million(flink.perCpuSecond)} readings/CPU s   ${million(flink.perSecond)}/s   ${flink.peakMb} MB`,
    );
    report("  beside it, windows", millrace, showThroughput(millrace));
  },
};

const wanted = values.only?.split(",") ?? Object.keys(scenarios);
const unknown = wanted.filter((name) => !(name in scenarios));
const problems = [
  ...unknown.map((name) => `there is no scenario ${name}`),
  ...(messages >= 10_000 ? [] : [`--messages is ${values.messages}: expected at least 10000`]),
  ...(Number(values.trades) >= 10_000 ? [] : [`--trades is ${values.trades}: expected at least 10000`]),
  ...(Number(values.sensors) >= 1 ? [] : [`--sensors is ${values.sensors}: expected at least 1`]),
];
if (problems.length > 0) {
  console.error(`${problems.join("\n")}\n${USAGE}`);
  process.exit(2);
}
for (const name of wanted) await scenarios[name]!();
if (values.json) console.log(JSON.stringify(results, null, 2));
