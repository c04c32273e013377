import { join } from "node:path";
import { parseArgs } from "node:util";
import { besideFlink, hasFlink } from "./flink.ts";
import type { Load } from "./load.ts";
import { longRun } from "./long-run.ts";
import { type Distribution, platformLatency } from "./platform.ts";
import { demand, largeState, latency, throughput, type Throughput } from "./scenarios.ts";

const USAGE = `npm run bench -- [--only NAME,…] [--messages N] [--seconds S] [--sensors N] [--flink DIR] [--flink-variant a|b|c] [--json]
Measures the processor on real Kafka: readings per CPU second (user and system time of the processor's process; the broker is not
in it), rate, peak memory, latency and recovery. Scenarios: windows, packed, all, sensors, inference, latency, state (1,000 sensors with five
minutes of allowed lateness, in real time: memory, recovery), platform (all of npm start with --sensors sensors (default
200) at 200 Hz and ten WebSocket clients: MQTT publish to WebSocket, hop by hop), long (an hour of 100 sensors in one machine),
flink (the windows scenario and the same job in Apache Flink, in turn over the same messages; needs port 9092). A name may be given several times.
--messages: messages of 20 readings in a filled topic (default 400000). --flink: folder of the job in Flink.`;

const root = join(import.meta.dirname, "..");
const ANCHORS = join(root, "..", "shared", "anchors");
const { values } = parseArgs({
  options: {
    only: { type: "string" },
    messages: { type: "string", default: "400000" },
    seconds: { type: "string", default: "20" },
    sensors: { type: "string", default: "200" },
    flink: { type: "string", default: ANCHORS },
    "flink-variant": { type: "string", default: "b" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
/** Of the shipped model: hops of 250 ms. */
const HOPS_PER_SECOND = 4;
const messages = Number(values.messages);
const standard: Load = { sensors: 200, messages, partitions: 2, format: "json" };
const results: Record<string, object> = {};
const million = (value: number): string => `${(value / 1e6).toFixed(2)} M`;
const report = (name: string, result: object, line: string): void => {
  results[name] = result;
  if (!values.json) console.log(`${name.padEnd(24)} ${line}`);
};

const line = ({ perCpuSecond, warmPerCpuSecond, perSecond, peakMb, check }: Throughput): string =>
  `${million(perCpuSecond)} readings/CPU s (warm ${million(warmPerCpuSecond)})   ${million(perSecond)}/s   ${peakMb.toFixed(0)} MB   ${check}`;
/** Kafka parts folders by commas. */
const folderOf = (name: string): string =>
  join(root, ".millrace", "bench", `${name.replaceAll(/\W+/g, "-")}-${process.pid}`);

async function measure(
  name: string,
  load: Partial<Load>,
  outputs: "all" | "windows",
  model?: string,
): Promise<Throughput> {
  const result = await throughput({ ...standard, ...load }, outputs, folderOf(name), model);
  report(name, result, line(result));
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
    const share = demand(1_000) / perCpuSecond;
    report(
      "  in real time",
      { readingsPerSecond: demand(1_000), inferencesPerSecond: 1_000 * HOPS_PER_SECOND, cores: share },
      `1,000 sensors at 200 Hz: ${million(demand(1_000))} readings/s, ${1_000 * HOPS_PER_SECOND} inferences/s take ${(share * 100).toFixed(0)} % of a core`,
    );
  },
  latency: async () => {
    const result = await latency(200, 2_000, Number(values.seconds), folderOf("latency"));
    report(
      "latency, 2000 messages/s",
      result,
      `record to committed window p50 ${result.p50} ms, p99 ${result.p99} ms; after kill -9 the first new window came in ${(result.recoveryMs / 1_000).toFixed(1)} s`,
    );
  },
  state: async () => {
    const result = await largeState(1_000, 300_000, folderOf("state"));
    report(
      "state, 1000 sensors",
      result,
      `${result.windows} windows kept: ${result.peakMb.toFixed(0)} MB; after kill -9 the first new window came in ${(result.recoveryMs / 1_000).toFixed(1)} s, ${result.recoveredPeakMb.toFixed(0)} MB`,
    );
  },
  platform: async () => {
    const result = await platformLatency(Number(values.sensors), 200, 10, Number(values.seconds), folderOf("platform"));
    const told = ({ p50, p99 }: Distribution): string =>
      Number.isNaN(p50)
        ? "nothing arrived while it was measured: this machine does not keep up"
        : `p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms`;
    report(
      `platform, ${values.sensors} at 200 Hz`,
      result,
      `MQTT publish to WebSocket ${told(result.publishToWebSocket)} over ${result.messages} messages at ${Math.round(result.readingsPerSecond)} readings/s`,
    );
    for (const [hop, distribution] of Object.entries(result.hops))
      if (!values.json) console.log(`  ${hop.padEnd(28)} ${told(distribution)}`);
  },
  long: async () => {
    const footprints = await longRun(100, 60, ({ minute, heapMb, rssMb, snapshotMb, generations }) => {
      if (!values.json)
        console.log(
          `${`long run, minute ${minute}`.padEnd(24)} heap ${heapMb.toFixed(0)} MB   resident ${rssMb.toFixed(0)} MB   snapshots ${snapshotMb.toFixed(1)} MB in ${generations} generations`,
        );
    });
    results["long"] = footprints;
  },
  flink: async () => {
    if (!hasFlink(values.flink))
      return report("flink", { skipped: true }, `${values.flink} has no job in Flink: give --flink DIR`);
    const variant = values["flink-variant"];
    const { flink, millrace } = await besideFlink(
      standard,
      variant,
      values.flink,
      folderOf("flink"),
      join(root, ".millrace", "flink"),
    );
    report(
      `flink ${variant}, parallelism 1`,
      flink,
      `${million(flink.perCpuSecond)} readings/CPU s   ${million(flink.perSecond)}/s   ${flink.peakMb} MB`,
    );
    report("  beside it, windows", millrace, line(millrace));
  },
};

const wanted = values.only?.split(",") ?? Object.keys(scenarios);
const unknown = wanted.filter((name) => !(name in scenarios));
const problems = [
  ...unknown.map((name) => `no scenario ${name}`),
  ...(messages >= 10_000 ? [] : [`--messages is ${values.messages}; at least 10000 are needed`]),
  ...(Number(values.sensors) >= 1 ? [] : [`--sensors is ${values.sensors}; at least 1 is needed`]),
];
if (problems.length > 0) {
  console.error(`${problems.join("\n")}\n${USAGE}`);
  process.exit(2);
}
for (const name of wanted) await scenarios[name]!();
if (values.json) console.log(JSON.stringify(results, null, 2));
