import { rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { createKafka } from "../adapters/kafka.ts";
import { LOOPBACK } from "../config/local.ts";
import { headers, topics } from "../domain/topics.ts";
import { readRecord } from "../live/messages.ts";
import { type Distribution, distribution, percentile, showDistribution } from "./distribution.ts";
import { NpmStart } from "./npm-start.ts";
import { follow } from "./outputs.ts";
import { until } from "./processor-process.ts";
import { timesOf } from "./requests.ts";
import type { Bench, Scenario } from "./scenario.ts";
import { showTargets, target, type Target } from "./target.ts";
import { type ProcessShare, shares, sumShares, usages } from "./usage.ts";
import { type Arrival, Viewers } from "./viewers-process.ts";

/** How `npm start` is loaded and measured. */
export interface PlatformLoad {
  readonly sensors: number;
  /** Samples per second of a sensor. */
  readonly hz: number;
  /** WebSocket clients, each on all sensors; the status line's own client comes on top. */
  readonly clients: number;
  readonly warmUpSeconds: number;
  readonly seconds: number;
}

export interface PlatformResult {
  readonly load: PlatformLoad;
  /** From the start of `npm start` until it said that it runs, ms. */
  readonly readyMs: number;
  /** Servers, programs and `npm start` itself. */
  readonly processes: readonly ProcessShare[];
  readonly total: Omit<ProcessShare, "name">;
  /** The clients' process. It is not part of the total. */
  readonly viewers: ProcessShare | null;
  /** Readings per second that the broker has acknowledged to the simulator, and that the processor has taken. */
  readonly published: number;
  readonly processed: number;
  /** Records that the processor had not committed, and functions not read, at the begin and at the end. */
  readonly lag: { readonly begin: number; readonly end: number };
  /** Whether the lag has grown by less than the messages of a second. */
  readonly lagFlat: boolean;
  /**
   * From the MQTT publish to the arrival of the `samples` message: at the clients, or where there are none at the
   * status line's own client, as the medians of what it shows for each ten seconds.
   */
  readonly publishToSamples: Distribution;
  /** Connections of clients that the platform closed, because they or it were too slow. */
  readonly closed: number;
  /** The same path hop by hop, measured afterwards with one more client and two Kafka consumers. */
  readonly hops: Readonly<Record<string, Distribution>>;
  /** What `GET /sensors/{sensorId}/features` takes, one request after the other. An error counts as infinite. */
  readonly featureRead: Distribution;
  readonly health: string;
  readonly restarts: number;
}

const defaultLoads = [
  { sensors: 20, hz: 100, clients: 0 },
  { sensors: 200, hz: 200, clients: 10 },
] as const;
const DEFAULT_WARM_UP_SECONDS = 180;
const DEFAULT_SECONDS = 60;
/** Hops are read by kafkajs, message by message: a short look is enough, and all that a busy machine can spare. */
const MAX_HOPS_SECONDS = 20;
const FEATURE_READS = 200;

export const platform: Scenario = {
  about: "npm start with its simulator: 20 sensors x 100 Hz alone, then 200 x 200 Hz with 10 WebSocket clients",
  run: async (bench) => void (await measurePlatforms(bench)),
};

/** The platform under the loads of the command line, or under both of the table of targets. */
export async function measurePlatforms(bench: Bench): Promise<Target[]> {
  const { sensors, rate, clients, warmUp, seconds } = bench.options;
  const given = sensors !== undefined || rate !== undefined || clients !== undefined;
  const loads = given ? [{ sensors: sensors ?? 20, hz: rate ?? 100, clients: clients ?? 0 }] : defaultLoads;
  const rows: Target[] = [];
  for (const load of loads) {
    const measured = await measurePlatform(bench, {
      ...load,
      warmUpSeconds: warmUp ?? DEFAULT_WARM_UP_SECONDS,
      seconds: seconds ?? DEFAULT_SECONDS,
    });
    report(bench, measured);
    rows.push(...platformTargets(measured));
  }
  return rows;
}

/** Runs all of `npm start` on free ports, with its simulator and nothing left of earlier starts. */
async function measurePlatform(bench: Bench, load: PlatformLoad): Promise<PlatformResult> {
  const home = bench.folder(`platform-${load.sensors}`);
  const started = await NpmStart.run(bench.path(), home, ["--sensors", `${load.sensors}`, "--rate", `${load.hz}`]);
  let viewers: Viewers | undefined;
  try {
    const startedAt = performance.now();
    const sensorIds = await sensorIdsOf(started.api, load.sensors);
    if (load.clients > 0) viewers = await Viewers.connect(started.ports.api, load.clients, sensorIds);
    await sleep(Math.max(0, load.warmUpSeconds * 1_000 - (performance.now() - startedAt)));

    const before = await look(started, viewers);
    const statusBefore = started.status.length;
    viewers?.begin();
    await sleep(load.seconds * 1_000);
    const seen = (await viewers?.end()) ?? { arrivals: [], closed: 0 };
    const after = await look(started, viewers);
    const status = started.status.slice(statusBefore);

    const seconds = (after.at - before.at) / 1_000;
    const all = shares(before.usages, after.usages, seconds);
    const processes = all.filter(({ name }) => name !== "viewers");
    const perSecond = (counter: "published" | "messages" | "processed"): number =>
      (after[counter] - before[counter]) / seconds;
    const health = await healthOf(started.api);
    const featureRead = distribution(await timesOf(`${started.api}/sensors/${sensorIds[0]}/features`, FEATURE_READS));
    const hops = await measureHops(started, sensorIds, Math.min(load.seconds, MAX_HOPS_SECONDS));
    return {
      load,
      readyMs: started.readyMs,
      processes,
      total: sumShares(processes),
      viewers: all.find(({ name }) => name === "viewers") ?? null,
      published: perSecond("published"),
      processed: perSecond("processed"),
      lag: { begin: before.lag, end: after.lag },
      lagFlat: after.lag - before.lag < perSecond("messages"),
      publishToSamples: viewers
        ? distribution(seen.arrivals.map(({ receivedAt, newest }) => receivedAt - newest))
        : { p50: medianOf(status.map(({ p50 }) => p50)), p99: medianOf(status.map(({ p99 }) => p99)) },
      closed: seen.closed,
      hops,
      featureRead,
      health,
      restarts: status.at(-1)?.restarts ?? NaN,
    };
  } finally {
    await viewers?.stop();
    await started.stop();
    rmSync(home, { recursive: true, force: true });
  }
}

function medianOf(values: readonly number[]): number {
  return percentile(
    values.filter((value) => !Number.isNaN(value)),
    0.5,
  );
}

/** Everything that is compared between the begin and the end of a measurement. */
async function look(started: NpmStart, viewers: Viewers | undefined) {
  const [simulator, processor, eventSource] = await Promise.all(
    ["simulator", "processor", "event-source"].map((program) => started.metrics(program)),
  );
  const count = (metrics: Readonly<Record<string, unknown>>, name: string): number => Number(metrics[name] ?? NaN);
  return {
    at: performance.now(),
    usages: usages({ ...started.pids(), ...(viewers ? { viewers: viewers.pid } : {}) }),
    published: count(simulator!, "simulator.readings"),
    messages: count(simulator!, "simulator.messages"),
    processed: count(processor!, "processor.readings"),
    lag: count(processor!, "processor.lag") + count(eventSource!, "event-source.lag"),
  };
}

/** The status of `GET /health`, and each component that is not ok. */
export async function healthOf(api: string): Promise<string> {
  try {
    const response = await fetch(`${api}/health`, { signal: AbortSignal.timeout(10_000) });
    const { status, components } = (await response.json()) as {
      status: string;
      components: Readonly<Record<string, { readonly status: string; readonly detail?: string }>>;
    };
    const bad = Object.entries(components).filter(([, component]) => component.status !== "ok");
    return [status, ...bad.map(([name, { status: own, detail }]) => `${name} ${own} (${detail ?? "-"})`)].join(", ");
  } catch (error) {
    return `no answer (${(error as Error).message})`;
  }
}

async function sensorIdsOf(api: string, sensors: number): Promise<string[]> {
  return until(
    `${sensors} sensors in the REST API`,
    120_000,
    async () => {
      const found: string[] = [];
      for (let cursor: string | null = ""; cursor !== null;) {
        const next: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
        const response = await fetch(`${api}/sensors?limit=100${next}`);
        if (!response.ok) return null;
        const page = (await response.json()) as { items: { sensorId: string }[]; next: string | null };
        found.push(...page.items.map(({ sensorId }) => sensorId));
        cursor = page.next;
      }
      return found.length >= sensors ? found : null;
    },
    500,
  );
}

/**
 * Measures each hop. Its times come from the bridge (receipt of a message, in a header), the broker (timestamp of input
 * records), and the processor (timestamp of its outputs).
 */
async function measureHops(
  started: NpmStart,
  sensorIds: readonly string[],
  seconds: number,
): Promise<Record<string, Distribution>> {
  const kafkaBrokers = `${LOOPBACK}:${started.ports.kafka}`;
  const kafka = createKafka({ kafkaBrokers, kafkaAuth: "none", region: "local" }, "bench");
  const viewers = await Viewers.connect(started.ports.api, 1, sensorIds);
  const inputs = new Map<string, { readonly receivedAt: number; readonly appendedAt: number }>();
  const outputs = new Map<string, { readonly source: string; readonly sentAt: number }>();
  const consumers = [
    await follow(kafka, topics.imuData.name, "end", ({ partition, offset, timestamp, headers: received }) =>
      inputs.set(`${partition}/${offset}`, { receivedAt: Number(received[headers.ingestMs]), appendedAt: timestamp }),
    ),
    await follow(kafka, topics.transformed.name, "end", ({ timestamp, value, headers: received }) => {
      const { id } = readRecord(topics.transformed.name, received[headers.contentType], value!).data;
      outputs.set(id, { source: id.split("/").slice(1, 3).join("/"), sentAt: timestamp });
    }),
  ];
  viewers.begin();
  await sleep(seconds * 1_000);
  const { arrivals } = await viewers.end();
  await sleep(1_000); // Consumers of committed records get them later than live's clients.
  await Promise.all([viewers.stop(), ...consumers.map((consumer) => consumer.disconnect())]);
  return hopsOf(arrivals, inputs, outputs);
}

/**
 * The hops of the messages that arrived.
 *
 * @param inputs By partition and offset of the input record.
 * @param outputs By the id of the output, with the input record that it came from.
 */
export function hopsOf(
  arrivals: readonly Arrival[],
  inputs: ReadonlyMap<string, { readonly receivedAt: number; readonly appendedAt: number }>,
  outputs: ReadonlyMap<string, { readonly source: string; readonly sentAt: number }>,
): Record<string, Distribution> {
  const hops: Record<string, number[]> = {
    "device to bridge": [],
    "bridge to Kafka": [],
    "Kafka to processor's output": [],
    "output to WebSocket": [],
    "publish to WebSocket": [],
  };
  for (const { id, newest, receivedAt } of arrivals) {
    const output = outputs.get(id);
    const input = output && inputs.get(output.source);
    if (!input) continue;
    hops["device to bridge"]!.push(input.receivedAt - newest);
    hops["bridge to Kafka"]!.push(input.appendedAt - input.receivedAt);
    hops["Kafka to processor's output"]!.push(output.sentAt - input.appendedAt);
    hops["output to WebSocket"]!.push(receivedAt - output.sentAt);
    hops["publish to WebSocket"]!.push(receivedAt - newest);
  }
  return Object.fromEntries(Object.entries(hops).map(([name, values]) => [name, distribution(values)]));
}

/** The rows of the table of targets that a measurement answers. A load that is not in the table has none. */
export function platformTargets(result: PlatformResult): Target[] {
  const { load, total, publishToSamples, featureRead, published, processed, lagFlat } = result;
  const cores = (value: number): string => `${value.toFixed(2)} cores`;
  const ms = (value: number): string => `${value.toFixed(0)} ms`;
  const is = ({ sensors, hz, clients }: (typeof defaultLoads)[number]): boolean =>
    load.sensors === sensors && load.hz === hz && load.clients === clients;
  const name = `npm start, ${load.sensors} x ${load.hz} Hz`;
  if (is(defaultLoads[0]))
    return [
      target(`${name}: CPU of all`, total.cores, "at most", 0.4, cores),
      target(`${name}: publish to samples, p50`, publishToSamples.p50, "below", 15, ms),
      target(`${name}: publish to samples, p99`, publishToSamples.p99, "below", 50, ms),
      target(`${name}: memory of all`, total.rssMb, "below", 1_800, (value) => `${value.toFixed(0)} MB`),
      target(`${name}: read of features, p99`, featureRead.p99, "below", 50, ms),
    ];
  if (!is(defaultLoads[1])) return [];
  const share = processed / published;
  return [
    target(`${name}, 10 clients: CPU of all`, total.cores, "at most", 1.5, cores),
    target(`${name}, 10 clients: processed of published`, share, "at least", 0.99, (value) => value.toFixed(2)),
    { what: `${name}, 10 clients: lag`, target: "flat", measured: lagText(result), met: lagFlat },
    target(`${name}, 10 clients: connections closed`, result.closed, "at most", 0, String),
    target(`${name}, 10 clients: publish to samples, p99`, publishToSamples.p99, "below", 100, ms),
  ];
}

function lagText({ lag, lagFlat }: PlatformResult): string {
  return `${lag.begin} to ${lag.end}: ${lagFlat ? "flat" : "growing"}`;
}

function report(bench: Bench, result: PlatformResult): void {
  const { load, processes, total, viewers, published, processed, hops } = result;
  const perSecond = (value: number): string => Math.round(value).toLocaleString("en-US");
  bench.report(
    `platform, ${load.sensors} x ${load.hz} Hz`,
    result,
    `${load.clients} clients, ${load.seconds} s after ${load.warmUpSeconds} s of warming up`,
  );
  const share = ({ name, cores, rssMb }: Pick<ProcessShare, "name" | "cores" | "rssMb">): string =>
    `  ${name.padEnd(28)} ${(cores * 100).toFixed(1).padStart(6)} % ${rssMb.toFixed(0).padStart(6)} MB`;
  for (const process of processes) bench.print(share(process));
  bench.print(
    `${share({ name: "in all", ...total })} (${total.proportionalMb.toFixed(0)} MB when shared pages count once)`,
  );
  if (viewers) bench.print(share({ ...viewers, name: "clients (not in the sum)" }));
  const lines: [string, string][] = [
    ["ready", `${(result.readyMs / 1_000).toFixed(1)} s after the start`],
    ["readings", `published ${perSecond(published)}/s, processed ${perSecond(processed)}/s`],
    ["lag", lagText(result)],
    ["publish to samples", showDistribution(result.publishToSamples)],
    ...(load.clients > 0 ? [["connections closed", String(result.closed)] as [string, string]] : []),
    ["read of features", showDistribution(result.featureRead)],
    ["health, restarts", `${result.health}, ${result.restarts}`],
    ...Object.entries(hops).map(([hop, found]): [string, string] => [hop, showDistribution(found)]),
  ];
  for (const [what, text] of lines) bench.print(`  ${what.padEnd(28)} ${text}`);
  const rows = platformTargets(result);
  if (rows.length > 0) bench.print(showTargets(rows));
}
