import type { Metrics } from "../../adapters/metrics.ts";
import { Timings, type Percentiles } from "../../adapters/timings.ts";
import type { SeriesOf } from "../../domain/metrics.ts";
import type { PipelineName } from "../../domain/pipelines.ts";
import type { EpochMs, Milliseconds } from "../../domain/time.ts";
import { headers } from "../../domain/topics.ts";
import type { KafkaRecord } from "../shared/kafka-event.ts";
import { Completeness } from "./completeness.ts";
import { IdOrder } from "./id-order.ts";
import { auditedOutputs, type AuditedOutput, type Sight } from "./outputs.ts";
import { RecentShare } from "./recent-share.ts";
import { WindowGaps, type GapOptions } from "./window-gaps.ts";

/** Where figures go. */
export type Recorder = Pick<Metrics, "add" | "set" | "time" | "observe">;

/**
 * Offsets from one record of a partition to the next, at most: a transaction ends in a marker, which has an offset and
 * is no record, and a task that takes over may end another one.
 */
const MAX_OFFSET_STEP = 3;

const latencyNames = ["eventToOutput", "eventToRead", "ingestToOutput", "ingestToRead"] as const;
type LatencyName = (typeof latencyNames)[number];

/** The metrics of a pipeline. */
const pipelineMetrics = {
  sensor: {
    eventToOutput: "audit-output.sensor-event-to-output",
    eventToRead: "audit-output.sensor-event-to-read",
    ingestToOutput: "audit-output.sensor-ingest-to-output",
    ingestToRead: "audit-output.sensor-ingest-to-read",
    missing: "audit-output.sensor-missing-windows",
    first: "audit-output.sensor-first-readings",
    all: "audit-output.sensor-readings",
  },
  market: {
    eventToOutput: "audit-output.market-event-to-output",
    eventToRead: "audit-output.market-event-to-read",
    ingestToOutput: "audit-output.market-ingest-to-output",
    ingestToRead: "audit-output.market-ingest-to-read",
    missing: "audit-output.market-missing-windows",
    first: "audit-output.market-first-readings",
    all: "audit-output.market-readings",
  },
} as const satisfies Record<
  PipelineName,
  Record<LatencyName, SeriesOf<"timing">> & Record<"missing" | "first" | "all", SeriesOf<"counter">>
>;

/** What was read of one partition of a topic. */
interface Partition {
  lastOffset: number;
  lastTimestamp: EpochMs;
  ids: IdOrder;
  gaps: WindowGaps;
}

/** What was read of one topic. */
interface Topic {
  records: number;
  readonly latencies: Readonly<Record<LatencyName, Timings>>;
}

/** What `summary` tells of a topic. */
type TopicSummary = { readonly records: number } & Partial<Record<LatencyName, Percentiles>>;

export interface AuditOptions extends GapOptions {
  /** When the execution environment began. Records that were written before it have waited for it. */
  readonly startedMs: EpochMs;
  /** The time. */
  now(): EpochMs;
}

/**
 * What an outsider sees of the outputs: latencies, ids that come twice, windows that are missing, completeness. It
 * knows what it has been given since it was made, and nothing else.
 */
export class Audit {
  readonly #options: AuditOptions;
  readonly #recorder: Recorder;
  readonly #partitions = new Map<string, Partition>();
  readonly #topics = new Map<string, Topic>();
  readonly #completeness = { sensor: new Completeness(), market: new Completeness() };
  readonly #recent = { sensor: new RecentShare(), market: new RecentShare() };
  readonly #totals = {
    repeatedIds: 0,
    idsOutOfOrder: 0,
    redelivered: 0,
    begunAnew: 0,
    unreadable: 0,
    sensor: { missing: 0, first: 0, all: 0 },
    market: { missing: 0, first: 0, all: 0 },
  };

  constructor(options: AuditOptions, recorder: Recorder) {
    this.#options = options;
    this.#recorder = recorder;
    recorder.observe("audit-output.sensor-completeness", () => this.#recent.sensor.percent(options.now()));
    recorder.observe("audit-output.market-completeness", () => this.#recent.market.percent(options.now()));
  }

  /**
   * Takes records, each partition's in the order of their offsets. `nowMs`: when they were read.
   *
   * @returns Those that do not follow their contract, with the reason
   */
  take(records: readonly KafkaRecord[], nowMs: EpochMs): { readonly record: KafkaRecord; readonly error: Error }[] {
    const unreadable: { record: KafkaRecord; error: Error }[] = [];
    for (const record of records) {
      const partition = this.#partitionFor(record);
      if (partition === null) continue;
      this.#recorder.add("audit-output.records");
      try {
        const output = auditedOutputs[record.topic];
        if (output === undefined) throw new Error(`${record.topic} is not audited`);
        this.#compare(
          record,
          output,
          output.read(JSON.parse(record.value?.toString("utf8") ?? "null")),
          partition,
          nowMs,
        );
      } catch (error) {
        this.#totals.unreadable++;
        this.#recorder.add("audit-output.unreadable");
        unreadable.push({ record, error: error as Error });
      }
    }
    let keys = 0;
    let open = 0;
    for (const { gaps } of this.#partitions.values()) {
      keys += gaps.keys;
      open += gaps.open;
    }
    this.#recorder.set("audit-output.keys", keys);
    this.#recorder.set("audit-output.open-gaps", open);
    return unreadable;
  }

  /** What was seen since the audit was made; percentiles of the last 4,096 of each topic, ms. */
  summary(): object {
    const { sensor, market, ...totals } = this.#totals;
    const completeness = ({ first, all }: typeof sensor): number | null => (all === 0 ? null : first / all);
    return {
      since: new Date(this.#options.startedMs).toISOString(),
      ...totals,
      missingWindows: { sensor: sensor.missing, market: market.missing },
      completeness: { sensor: completeness(sensor), market: completeness(market) },
      topics: Object.fromEntries([...this.#topics].map(([name, topic]) => [name, summaryOf(topic)])),
    };
  }

  /** The partition of a record that is the next of it; null for a record that was read before. */
  #partitionFor({ topic, partition, offset, timestamp }: KafkaRecord): Partition | null {
    const name = `${topic}-${partition}`;
    const known = this.#partitions.get(name);
    if (known === undefined) {
      const made = { lastOffset: offset, lastTimestamp: timestamp, ids: new IdOrder(), gaps: this.#newGaps() };
      this.#partitions.set(name, made);
      return made;
    }
    const step = offset - known.lastOffset;
    // An offset that was passed, with a newer timestamp, is of a topic that was made anew.
    const isNewTopic = step <= 0 && timestamp > known.lastTimestamp;
    if (step <= 0 && !isNewTopic) {
      this.#totals.redelivered++;
      this.#recorder.add("audit-output.redelivered");
      return null;
    }
    if (isNewTopic) known.ids = new IdOrder();
    if (isNewTopic || step > MAX_OFFSET_STEP) {
      known.gaps = this.#newGaps();
      this.#totals.begunAnew++;
      this.#recorder.add("audit-output.begun-anew");
    }
    known.lastOffset = offset;
    known.lastTimestamp = isNewTopic ? timestamp : Math.max(timestamp, known.lastTimestamp);
    return known;
  }

  #newGaps(): WindowGaps {
    return new WindowGaps(this.#options);
  }

  #compare(record: KafkaRecord, output: AuditedOutput, sight: Sight, partition: Partition, nowMs: EpochMs): void {
    const verdict = partition.ids.take(sight.id);
    const topic = this.#topicOf(record.topic);
    topic.records++;
    if (verdict === "repeated") {
      this.#totals.repeatedIds++;
      this.#recorder.add("audit-output.repeated-ids");
      return;
    }
    if (verdict === "out-of-order") {
      this.#totals.idsOutOfOrder++;
      this.#recorder.add("audit-output.ids-out-of-order");
    }
    const ingest = ingestOf(record);
    if (sight.eventTime !== null) this.#time(output, topic, "event", record, sight.eventTime, nowMs);
    if (ingest !== null) this.#time(output, topic, "ingest", record, ingest, nowMs);
    if (sight.window !== undefined) this.#missing(output.pipeline, partition.gaps.take(sight.window));
    this.#count(output.pipeline, sight, nowMs);
  }

  #time(
    { pipeline, isTimed }: AuditedOutput,
    topic: Topic,
    from: "event" | "ingest",
    { timestamp }: KafkaRecord,
    fromMs: EpochMs,
    nowMs: EpochMs,
  ): void {
    const time = (name: LatencyName, latency: Milliseconds): void => {
      topic.latencies[name].add(latency);
      if (isTimed) this.#recorder.time(pipelineMetrics[pipeline][name], latency);
    };
    time(`${from}ToOutput`, timestamp - fromMs);
    if (timestamp >= this.#options.startedMs) time(`${from}ToRead`, nowMs - fromMs);
  }

  #missing(pipeline: PipelineName, windows: number): void {
    if (windows === 0) return;
    this.#totals[pipeline].missing += windows;
    this.#recorder.add(pipelineMetrics[pipeline].missing, windows);
  }

  #count(pipeline: PipelineName, sight: Sight, nowMs: EpochMs): void {
    const { first, all, isUnknown } = this.#completeness[pipeline].take(sight);
    if (isUnknown) this.#recorder.add("audit-output.unknown-revisions");
    if (all === 0) return;
    this.#recent[pipeline].add(first, all, nowMs);
    this.#totals[pipeline].first += first;
    this.#totals[pipeline].all += all;
    if (first > 0) this.#recorder.add(pipelineMetrics[pipeline].first, first);
    this.#recorder.add(pipelineMetrics[pipeline].all, all);
  }

  #topicOf(name: string): Topic {
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      const latencies = Object.fromEntries(latencyNames.map((latency) => [latency, new Timings()]));
      this.#topics.set(name, (topic = { records: 0, latencies: latencies as Record<LatencyName, Timings> }));
    }
    return topic;
  }
}

/** When what caused the record was ingested, epoch ms; null where the record does not say. */
function ingestOf({ headers: values }: KafkaRecord): EpochMs | null {
  const text = values[headers.ingestMs];
  const ms = text === undefined ? Number.NaN : Number(text);
  return Number.isFinite(ms) && ms > 0 ? ms : null;
}

function summaryOf({ records, latencies }: Topic): TopicSummary {
  const known = latencyNames.filter((name) => latencies[name].count > 0);
  return { records, ...Object.fromEntries(known.map((name) => [name, latencies[name].percentiles()])) };
}
