import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Kafka } from "kafkajs";
import type { Settings } from "../config/settings.ts";
import { type ModelManifest, MODEL_HEADER } from "../domain/models.ts";
import { controlTypes, headers, topics } from "../domain/topics.ts";
import { fill, type Load, MESSAGE_MS, pace, READINGS_PER_MESSAGE } from "./load.ts";
import { countReadings, follow, percentile } from "./outputs.ts";
import { onStage, type Stage } from "./stage.ts";
import { type Sample, Subject, until } from "./subject.ts";

export interface Throughput {
  readonly readings: number;
  /** Readings per second of user and system time, from the first record to everything committed. */
  readonly perCpuSecond: number;
  /** The same, from a tenth of the records on: the JIT has warmed up. */
  readonly warmPerCpuSecond: number;
  readonly perSecond: number;
  readonly peakMb: number;
  /** `exact`, or how the windows differ from what was filled in. */
  readonly check: string;
}

/** Asking costs the processor CPU time, too. */
const SAMPLE_MS = 200;

/** Reads a filled topic from start to end, exactly once, then compares its windows with what was filled in. */
export function throughput(
  load: Load,
  outputs: Settings<"processor">["outputs"],
  folder: string,
  modelFolder?: string,
): Promise<Throughput> {
  return onStage({ partitions: load.partitions, folder }, async ({ kafka, settings }) => {
    const control = modelFolder ? await assignModel(kafka, load.partitions, modelFolder, folder) : 0;
    const messages = await fill(kafka, load, topics.imuData.name);
    return await readThrough(
      { kafka, settings: { ...settings, outputs, ...(modelFolder ? { modelSource: join(folder, "models") } : {}) } },
      messages,
      control,
      load.sensors,
    );
  });
}

/** Runs a processor over the input topic, which holds `messages` messages and `control` other records. */
export async function readThrough(
  { kafka, settings }: Stage,
  messages: number,
  control: number,
  sensors: number,
): Promise<Throughput> {
  const records = messages + control;
  const subject = new Subject(settings);
  const sampled = (name: string, limitMs: number, holds: (sample: Sample) => boolean): Promise<Sample> =>
    until(
      name,
      limitMs,
      async () => {
        const sample = await subject.sample();
        return sample && holds(sample) ? sample : null;
      },
      SAMPLE_MS,
    );
  try {
    const first = await sampled("the first records", 120_000, (sample) => sample.records > 0);
    const warm = await sampled("a tenth of the records", 120_000, (sample) => sample.records >= records / 10);
    const last = await sampled("all records", 900_000, (sample) => sample.records >= records && sample.lag === 0);
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
    await subject.kill("SIGTERM");
  }
}

/** Appends the control record that makes a model live to every partition; gives how many. */
async function assignModel(kafka: Kafka, partitions: number, modelFolder: string, folder: string): Promise<number> {
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
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** From kill -9 to the first new committed window, ms. */
  readonly recoveryMs: number;
}

/**
 * A paced load: from the timestamp of the record that caused a window to the window's arrival at a read-committed
 * consumer; then kill -9.
 */
export async function latency(sensors: number, perSecond: number, seconds: number, folder: string): Promise<Latency> {
  return onStage({ partitions: 2, folder }, async ({ kafka, settings }) => {
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
    const subject = new Subject(settings);
    const load = pace(kafka, { sensors, partitions: 2, format: "json" }, perSecond);
    await until("the first window", 60_000, () => Promise.resolve(lastOutputAt > 0 ? true : null));
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    measuring = true;
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    measuring = false;
    const recovered = await recover(subject, settings, () => lastOutputAt);
    await load.stop();
    await Promise.all([inputs.disconnect(), outputs.disconnect()]);
    await recovered.subject.kill("SIGTERM");
    return {
      perSecond,
      p50: percentile(latencies, 0.5),
      p99: percentile(latencies, 0.99),
      recoveryMs: recovered.recoveryMs,
    };
  });
}

/**
 * Kills a processor by kill -9 and starts it again, under a load that goes on: ms from the kill to the first new
 * committed window.
 */
async function recover(
  subject: Subject,
  settings: Stage["settings"],
  lastOutputAt: () => number,
): Promise<{ subject: Subject; recoveryMs: number }> {
  await subject.kill("SIGKILL");
  const killedAt = Date.now();
  // What was committed before the kill may still be on its way to this consumer.
  await new Promise((resolve) => setTimeout(resolve, 200));
  const before = Date.now();
  const next = new Subject(settings);
  const recoveredAt = await until("a window after the kill", 60_000, () =>
    Promise.resolve(lastOutputAt() > before ? lastOutputAt() : null),
  );
  return { subject: next, recoveryMs: recoveredAt - killedAt };
}

export interface LargeState {
  /** Windows that are kept for late readings. */
  readonly windows: number;
  readonly peakMb: number;
  /** From kill -9 to the first new committed window, ms. */
  readonly recoveryMs: number;
  /** Of the process that took over, the catching up included. */
  readonly recoveredPeakMb: number;
}

/**
 * A load in real time until a window of each sensor and second of the allowed lateness is kept, and a minute longer;
 * then kill -9.
 */
export async function largeState(sensors: number, allowedLatenessMs: number, folder: string): Promise<LargeState> {
  return onStage({ partitions: 2, folder }, async ({ kafka, settings: ours }) => {
    const settings = { ...ours, allowedLatenessMs, outputs: "windows" as const };
    let lastOutputAt = 0;
    const outputs = await follow(
      kafka,
      topics.aggregated.name,
      "start",
      ({ receivedAt }) => (lastOutputAt = receivedAt),
    );
    const subject = new Subject(settings);
    const load = pace(kafka, { sensors, partitions: 2, format: "json" }, (sensors * 1_000) / MESSAGE_MS);
    await new Promise((resolve) => setTimeout(resolve, allowedLatenessMs + 60_000));
    const { peakMb } = subject.usage();
    const recovered = await recover(subject, settings, () => lastOutputAt);
    await new Promise((resolve) => setTimeout(resolve, 30_000));
    const { peakMb: recoveredPeakMb } = recovered.subject.usage();
    await load.stop();
    await outputs.disconnect();
    await recovered.subject.kill("SIGTERM");
    return {
      windows: (sensors * allowedLatenessMs) / 1_000,
      peakMb,
      recoveryMs: recovered.recoveryMs,
      recoveredPeakMb,
    };
  });
}

/** Readings a second that `sensors` sensors send at 200 Hz. */
export function demand(sensors: number): number {
  return (sensors * READINGS_PER_MESSAGE * 1_000) / MESSAGE_MS;
}
