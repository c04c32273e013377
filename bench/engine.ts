import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Kafka } from "kafkajs";
import { applySettings } from "../adapters/apply-settings.ts";
import { type ModelManifest, MODEL_HEADER } from "../domain/models.ts";
import { type Semantics, semanticsOf } from "../domain/semantics.ts";
import { controlTypes, headers, topics } from "../domain/topics.ts";
import { withBenchServers, type BenchServers } from "./bench-servers.ts";
import { percentile } from "./distribution.ts";
import { fill, type Load, MESSAGE_MS, publishAtRate, READINGS_PER_MESSAGE } from "./load.ts";
import { fillMarket, type MarketLoad } from "./market-load.ts";
import { countReadings, countTrades, follow } from "./outputs.ts";
import { type Sample, ProcessorProcess, until } from "./processor-process.ts";
import { thisVersion } from "./versions.ts";

export interface Throughput {
  readonly readings: number;
  /** Readings per second of user and system time, from the first record to everything committed. */
  readonly perCpuSecond: number;
  /** The same without the first tenth of the records, while V8 compiles. */
  readonly warmPerCpuSecond: number;
  /** Readings per second of wall time. */
  readonly perSecond: number;
  readonly peakMb: number;
  /** `exact`, or how the windows differ from the input. */
  readonly check: string;
}

/** Time between two samples. Each one costs the processor CPU time. */
const SAMPLE_MS = 200;

/** Fills a topic, reads it exactly once from start to end, and compares the windows with the input. */
export function throughput(
  load: Load,
  outputs: Semantics["outputs"],
  folder: string,
  modelFolder?: string,
): Promise<Throughput> {
  return withBenchServers({ partitions: load.partitions, folder }, async ({ kafka, settings }) => {
    const set = await putInForce(kafka, { outputs });
    const assigned = modelFolder ? await assignModel(kafka, load.partitions, modelFolder, folder) : 0;
    const messages = await fill(kafka, load, topics.imuData.name);
    return await readThrough(
      kafka,
      { ...settings, ...(modelFolder ? { modelSource: join(folder, "models") } : {}) },
      { messages, control: set + assigned, sensors: load.sensors },
    );
  });
}

/**
 * Puts settings in force in the input topic, which must be empty. They stand in the log: a processor takes none of them
 * from its environment.
 *
 * @returns Number of records
 */
export async function putInForce(kafka: Kafka, settings: Partial<Semantics>): Promise<number> {
  const made = await applySettings(kafka, topics.imuData.name, semanticsOf(settings), { checkTasks: false });
  return made!.partitions;
}

/** Runs a processor over the input topic, which holds `messages` messages and `control` other records. */
export async function readThrough(
  kafka: Kafka,
  settings: BenchServers["settings"],
  { messages, control, sensors }: { readonly messages: number; readonly control: number; readonly sensors: number },
  version = thisVersion,
): Promise<Throughput> {
  const processor = new ProcessorProcess(version, settings);
  try {
    const { first, warm, last } = await sampleThrough(processor, messages + control);
    const readings = (last.records - first.records) * READINGS_PER_MESSAGE;
    const expected = (messages - sensors) * READINGS_PER_MESSAGE;
    const counted = await countReadings(kafka, (found) => found >= expected);
    return {
      readings,
      perCpuSecond: readings / (last.cpu - first.cpu),
      warmPerCpuSecond: ((last.records - warm.records) * READINGS_PER_MESSAGE) / (last.cpu - warm.cpu),
      perSecond: readings / ((last.at - first.at) / 1_000),
      peakMb: last.peakMb,
      check:
        counted.readings === expected && counted.repeated === 0
          ? "exact"
          : `MISMATCH: ${counted.readings} of ${expected} readings, ${counted.repeated} windows twice`,
    };
  } finally {
    await processor.kill("SIGTERM");
  }
}

/** The processor at its first records, at a tenth of them, and when it has committed all. */
async function sampleThrough(
  processor: ProcessorProcess,
  records: number,
): Promise<{ first: Sample; warm: Sample; last: Sample }> {
  const sampled = (name: string, limitMs: number, holds: (sample: Sample) => boolean): Promise<Sample> =>
    until(
      name,
      limitMs,
      async () => {
        const sample = await processor.sample();
        return sample && holds(sample) ? sample : null;
      },
      SAMPLE_MS,
    );
  const first = await sampled("the first records", 120_000, (sample) => sample.records > 0);
  const warm = await sampled("a tenth of the records", 120_000, (sample) => sample.records >= records / 10);
  const last = await sampled("all records", 900_000, (sample) => sample.records >= records && sample.lag === 0);
  return { first, warm, last };
}

export interface MarketThroughput extends Omit<Throughput, "readings"> {
  readonly trades: number;
}

/** Fills the market's topic, reads it exactly once from start to end, and compares the bars with the input. */
export function marketThroughput(load: MarketLoad, folder: string): Promise<MarketThroughput> {
  const inputs = [topics.trades.name];
  return withBenchServers({ partitions: load.partitions, folder, inputs }, async ({ kafka, settings }) =>
    readMarketThrough(kafka, settings, await fillMarket(kafka, load), load),
  );
}

/** Runs a processor over the market's input topic, which holds `trades` trades and one other record per partition. */
export async function readMarketThrough(
  kafka: Kafka,
  settings: BenchServers["settings"],
  trades: number,
  load: MarketLoad,
  version = thisVersion,
): Promise<MarketThroughput> {
  const processor = new ProcessorProcess(version, { ...settings, pipeline: "market" });
  try {
    const { first, warm, last } = await sampleThrough(processor, trades + load.partitions);
    const expected = trades - load.symbols;
    const counted = await countTrades(kafka, expected);
    return {
      trades: last.records - first.records,
      perCpuSecond: (last.records - first.records) / (last.cpu - first.cpu),
      warmPerCpuSecond: (last.records - warm.records) / (last.cpu - warm.cpu),
      perSecond: (last.records - first.records) / ((last.at - first.at) / 1_000),
      peakMb: last.peakMb,
      check: counted === expected ? "exact" : `MISMATCH: ${counted} of ${expected} trades in bars`,
    };
  } finally {
    await processor.kill("SIGTERM");
  }
}

/**
 * Appends the control record that makes a model live to every partition.
 *
 * @returns Number of records
 */
export async function assignModel(
  kafka: Kafka,
  partitions: number,
  modelFolder: string,
  folder: string,
): Promise<number> {
  const { name, version, sha256 } = JSON.parse(
    readFileSync(join(modelFolder, "manifest.json"), "utf8"),
  ) as ModelManifest;
  cpSync(modelFolder, join(folder, "models", name, version), { recursive: true });
  const producer = kafka.producer();
  await producer.connect();
  const control = {
    key: null,
    value: null,
    headers: {
      [headers.type]: controlTypes.model,
      [MODEL_HEADER]: JSON.stringify({ stage: "live", model: { name, version, sha256 } }),
    },
  };
  await producer.send({
    topic: topics.imuData.name,
    messages: Array.from({ length: partitions }, (_, partition) => ({ ...control, partition })),
  });
  await producer.disconnect();
  return partitions;
}

export interface Latency {
  /** Messages per second. */
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

/**
 * Measures a load of constant rate: the time from the timestamp of the record that caused a window to the window's
 * arrival at a read-committed consumer.
 */
export async function latency(sensors: number, perSecond: number, seconds: number, folder: string): Promise<Latency> {
  return withBenchServers({ partitions: 2, folder }, async ({ kafka, settings }) => {
    const timestamps = new Map<string, number>();
    const latencies: number[] = [];
    let measuring = false;
    let lastOutputAt = 0;
    const inputs = await follow(kafka, topics.imuData.name, "end", ({ partition, offset, timestamp }) =>
      timestamps.set(`${partition}/${offset}`, timestamp),
    );
    const outputs = await follow(kafka, topics.aggregated.name, "start", ({ value, receivedAt }) => {
      lastOutputAt = receivedAt;
      const { id } = JSON.parse(value!.toString("utf8")) as { id: string };
      const [, partition, offset] = id.split("/");
      const caused = timestamps.get(`${partition}/${offset}`);
      if (measuring && caused !== undefined) latencies.push(receivedAt - caused);
    });
    const processor = new ProcessorProcess(thisVersion, settings);
    const load = publishAtRate(kafka, { sensors, partitions: 2, format: "json" }, perSecond);
    await until("the first window", 60_000, () => Promise.resolve(lastOutputAt > 0 ? true : null));
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    measuring = true;
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    measuring = false;
    await load.stop();
    await Promise.all([inputs.disconnect(), outputs.disconnect()]);
    await processor.kill("SIGTERM");
    return {
      perSecond,
      p50: percentile(latencies, 0.5),
      p99: percentile(latencies, 0.99),
    };
  });
}

export interface LargeState {
  /** Windows that are kept for late data. */
  readonly windows: number;
  readonly peakMb: number;
}

/**
 * Applies a load in real time until the processor keeps a window for each sensor and second of the allowed lateness,
 * and for a minute more.
 */
export async function largeState(sensors: number, allowedLatenessMs: number, folder: string): Promise<LargeState> {
  return withBenchServers({ partitions: 2, folder }, async ({ kafka, settings }) => {
    await putInForce(kafka, { allowedLatenessMs, outputs: "windows" });
    const processor = new ProcessorProcess(thisVersion, settings);
    const load = publishAtRate(kafka, { sensors, partitions: 2, format: "json" }, (sensors * 1_000) / MESSAGE_MS);
    await new Promise((resolve) => setTimeout(resolve, allowedLatenessMs + 60_000));
    const { peakMb } = processor.usage();
    await load.stop();
    await processor.kill("SIGTERM");
    return { windows: (sensors * allowedLatenessMs) / 1_000, peakMb };
  });
}

/** Readings per second of `sensors` sensors at 200 Hz. */
export function readingsPerSecond(sensors: number): number {
  return (sensors * READINGS_PER_MESSAGE * 1_000) / MESSAGE_MS;
}
