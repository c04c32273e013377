import { deadLetterCodes, type DeadLetterCode } from "./errors.ts";
import { eventSourceMappings } from "./event-source-mappings.ts";
import { barOperators } from "./market.ts";
import { pipelines } from "./pipelines.ts";

/** A metric that a program reports: CloudWatch namespace `Millrace`, dimensions `environment` and `program`. */
export interface MetricSpec {
  readonly unit: "Count" | "Milliseconds" | "Bytes" | "Percent";
  /** A counter only grows while the program runs; a gauge is the value now; a timing is a distribution. */
  readonly kind: "counter" | "gauge" | "timing";
  /**
   * How often it goes to CloudWatch, see `tiers`. 1: throughput, latency, dead letters, snapshots, lag. 2: memory, CPU,
   * tasks. 3: what one operator does, size of state, garbage collection.
   */
  readonly tier: Tier;
  /** It has one value for each of these, and is their sum. */
  readonly label?: LabelName;
  readonly doc: string;
}

export type Tier = 1 | 2 | 3;

/** Seconds between two reports of the metrics of a tier. */
export const tiers = { 1: 1, 2: 10, 3: 60 } as const satisfies Record<Tier, number>;

/** The values of each label: a closed set, too. */
export const labels = {
  code: Object.keys(deadLetterCodes) as DeadLetterCode[],
  /** What a late reading missed. */
  operator: ["window", "session", "inference", ...barOperators],
  /** The consumer groups that commit offsets: of the processors, and of the event source mappings. */
  group: [
    ...Object.values(pipelines).map(({ consumerGroup }) => consumerGroup as string),
    ...eventSourceMappings.map(({ consumerGroup }) => consumerGroup),
  ],
} as const satisfies Record<string, readonly string[]>;

export type LabelName = keyof typeof labels;

/** The closed set of metrics; docs, dashboards and alarms read it from here. */
export const metrics = {
  "bridge.messages": { unit: "Count", kind: "counter", tier: 1, doc: "MQTT messages that Kafka has acknowledged" },
  "bridge.dead-letters": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    label: "code",
    doc: "MQTT messages that the bridge dead-lettered",
  },
  "bridge.in-flight": { unit: "Count", kind: "gauge", tier: 2, doc: "MQTT messages received and not yet acknowledged" },
  "bridge.waiting-bytes": {
    unit: "Bytes",
    kind: "gauge",
    tier: 2,
    doc: "records that wait for Kafka's acknowledgement",
  },
  "bridge.turned-away": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    doc: "MQTT messages not taken because too many bytes waited; the broker sends them again",
  },
  "bridge.dropped": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    doc: "MQTT messages that could not even be dead-lettered; the log has their digests",
  },
  "bridge.notices": { unit: "Count", kind: "counter", tier: 3, doc: "notices to devices that a message was refused" },
  "bridge.notices-held-back": {
    unit: "Count",
    kind: "counter",
    tier: 3,
    doc: "notices not sent: at most one a second for a device, 100 for all, and none while the connection is down",
  },
  "bridge.kafka-silence": {
    unit: "Milliseconds",
    kind: "gauge",
    tier: 1,
    doc: "how long the records that are being sent, ticks included, have waited for Kafka's acknowledgement",
  },
  "bridge.publish-latency": {
    unit: "Milliseconds",
    kind: "timing",
    tier: 1,
    doc: "from MQTT receipt to Kafka's acknowledgement",
  },
  "simulator.messages": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    doc: "messages that the MQTT broker has acknowledged, duplicates and corrupted ones included",
  },
  "simulator.readings": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    doc: "readings in them, duplicates and corrupted ones excluded",
  },
  "simulator.rejected": {
    unit: "Count",
    kind: "counter",
    tier: 3,
    doc: "notices to its devices that a message was refused, at most one a second for each",
  },
  "simulator.events": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    doc: "events that the event bus has acknowledged, of every kind",
  },
  "simulator.trades": { unit: "Count", kind: "counter", tier: 1, doc: "trades put when they were due" },
  "simulator.late-trades": { unit: "Count", kind: "counter", tier: 3, doc: "trades put late" },
  "simulator.executions": { unit: "Count", kind: "counter", tier: 3, doc: "pending trades put again as executed" },
  "simulator.duplicate-trades": { unit: "Count", kind: "counter", tier: 3, doc: "trades put a second time" },
  "simulator.corrupt-trades": { unit: "Count", kind: "counter", tier: 3, doc: "corrupt copies of trades" },
  "simulator.cancellations": { unit: "Count", kind: "counter", tier: 3, doc: "trades put again as cancelled" },
  "simulator.conflicting-trades": {
    unit: "Count",
    kind: "counter",
    tier: 3,
    doc: "other trades put under the id of one",
  },
  "simulator.failed-entries": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    doc: "entries that failed, and were put again where that may help",
  },
  "simulator.in-flight": {
    unit: "Count",
    kind: "gauge",
    tier: 2,
    doc: "messages or events published and not yet acknowledged",
  },
  "simulator.behind": {
    unit: "Milliseconds",
    kind: "timing",
    tier: 1,
    doc: "from when a message or event was due to when it was published",
  },
  "simulator.publish-latency": {
    unit: "Milliseconds",
    kind: "timing",
    tier: 1,
    doc: "from publishing to the acknowledgement by the MQTT broker or the event bus",
  },
  "processor.records": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    doc: "input records stepped, control records included",
  },
  "processor.readings": { unit: "Count", kind: "counter", tier: 1, doc: "readings of accepted messages" },
  "processor.duplicates": { unit: "Count", kind: "counter", tier: 1, doc: "messages dropped as seen before" },
  "processor.dead-letters": { unit: "Count", kind: "counter", tier: 1, label: "code", doc: "records dead-lettered" },
  "processor.late-readings": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    label: "operator",
    doc: "readings that missed a window, session or inference",
  },
  "processor.order-buffer-overflows": {
    unit: "Count",
    kind: "counter",
    tier: 3,
    doc: "messages released before their turn because too much waited",
  },
  "processor.hop-limits": {
    unit: "Count",
    kind: "counter",
    tier: 3,
    doc: "messages that would have caused too many hops",
  },
  "processor.expired-early": {
    unit: "Count",
    kind: "counter",
    tier: 3,
    doc: "sensors that expired, or were forgotten, because there were too many",
  },
  "processor.trades-let-go": {
    unit: "Count",
    kind: "counter",
    tier: 3,
    doc: "trades whose ids were let go because a partition kept too many",
  },
  "processor.positions-untracked": {
    unit: "Count",
    kind: "counter",
    tier: 3,
    doc: "trades that are in no position because too many accounts or positions are kept",
  },
  "processor.alerts": { unit: "Count", kind: "counter", tier: 1, doc: "alerts raised on trades" },
  "processor.outputs-too-large": {
    unit: "Count",
    kind: "counter",
    tier: 2,
    doc: "outputs left out because of their size",
  },
  "processor.windows": { unit: "Count", kind: "counter", tier: 1, doc: "window records written, revisions included" },
  "processor.sessions-started": { unit: "Count", kind: "counter", tier: 1, doc: "session started records written" },
  "processor.sessions-ended": { unit: "Count", kind: "counter", tier: 1, doc: "session ended records written" },
  "processor.inferences": { unit: "Count", kind: "counter", tier: 1, doc: "hops scored" },
  "processor.settings-changes": {
    unit: "Count",
    kind: "counter",
    tier: 3,
    doc: "settings records that put other settings in force",
  },
  "processor.models-refused": {
    unit: "Count",
    kind: "counter",
    tier: 2,
    doc: "models that were refused at a model record, or were missing at a start",
  },
  "processor.input-drift": {
    unit: "Percent",
    kind: "gauge",
    tier: 3,
    doc: "distance of the models' input from their training sets, last minute; 100 is like the training set",
  },
  "processor.lag": {
    unit: "Count",
    kind: "gauge",
    tier: 1,
    doc: "records that are not processed yet, all owned partitions",
  },
  "processor.watermark-lag": {
    unit: "Milliseconds",
    kind: "gauge",
    tier: 1,
    doc: "partition clock less the newest watermark, largest of the owned partitions",
  },
  "processor.commit-latency": {
    unit: "Milliseconds",
    kind: "timing",
    tier: 1,
    doc: "time a transaction's commit takes",
  },
  "processor.commit-interval": {
    unit: "Milliseconds",
    kind: "timing",
    tier: 1,
    doc: "time between two commits of a task",
  },
  "processor.waiting-outputs": {
    unit: "Count",
    kind: "gauge",
    tier: 2,
    doc: "outputs that are stepped and not sent, all owned partitions",
  },
  "processor.waiting-bytes": { unit: "Bytes", kind: "gauge", tier: 2, doc: "their bytes" },
  "processor.reading-paused": {
    unit: "Count",
    kind: "counter",
    tier: 2,
    doc: "times that a task stopped reading because too many outputs waited",
  },
  "processor.stopped-partitions": {
    unit: "Count",
    kind: "gauge",
    tier: 2,
    doc: "owned partitions whose task stopped with a named error",
  },
  "processor.failing-partitions": {
    unit: "Count",
    kind: "gauge",
    tier: 2,
    doc: "owned partitions whose task has begun anew since its last commit",
  },
  "processor.snapshot-bytes": { unit: "Bytes", kind: "gauge", tier: 3, doc: "size of all live snapshot segments" },
  "processor.restarts": { unit: "Count", kind: "counter", tier: 1, doc: "task restarts" },
  "processor.recovery-time": {
    unit: "Milliseconds",
    kind: "timing",
    tier: 1,
    doc: "from a task's fence to its first new output",
  },
  "processor.ingest-to-commit": {
    unit: "Milliseconds",
    kind: "timing",
    tier: 1,
    doc:
      "from ingest of the first record of the step that gave a transaction its first output to the transaction's " +
      "commit: no output of it took longer",
  },
  "processor.snapshots": { unit: "Count", kind: "counter", tier: 1, doc: "snapshots written" },
  "processor.snapshot-failures": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    doc: "attempts to write a snapshot that failed; each is tried again",
  },
  "processor.snapshot-duration": {
    unit: "Milliseconds",
    kind: "timing",
    tier: 1,
    doc: "from the commit that a snapshot covers to when it is written, failed attempts included",
  },
  "processor.snapshot-age": {
    unit: "Milliseconds",
    kind: "gauge",
    tier: 1,
    doc: "since an owned partition's newest snapshot was written, or its task began to run; the oldest of them",
  },
  "processor.tasks": { unit: "Count", kind: "gauge", tier: 2, doc: "partitions that this process owns" },
  "processor.sensors": { unit: "Count", kind: "gauge", tier: 3, doc: "sensors in state, tombstones excluded" },
  "live.frames": { unit: "Count", kind: "counter", tier: 1, doc: "WebSocket frames sent" },
  "live.dropped-samples": { unit: "Count", kind: "counter", tier: 1, doc: "samples that slow clients lost" },
  "live.dropped-trades": { unit: "Count", kind: "counter", tier: 1, doc: "trades that slow clients lost" },
  "live.omitted": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    doc: "messages too large to send, whose clients were told so",
  },
  "live.closed-connections": {
    unit: "Count",
    kind: "counter",
    tier: 2,
    doc: "connections closed for being slow or too many",
  },
  "live.resumed": {
    unit: "Count",
    kind: "counter",
    tier: 2,
    doc: "records sent again to clients that named the last id that they have",
  },
  "live.gaps": { unit: "Count", kind: "counter", tier: 2, doc: "gaps that such clients were told of" },
  "live.connections": { unit: "Count", kind: "gauge", tier: 2, doc: "WebSocket connections known" },
  "live.lag": { unit: "Count", kind: "gauge", tier: 1, doc: "records that somebody watches and live has not read yet" },
  "live.event-to-visible": {
    unit: "Milliseconds",
    kind: "timing",
    tier: 1,
    doc: "from a window's end, or a trade's time, to when a client's connection has taken it",
  },
  "firehose.records": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    doc: "records that the local Firehose endpoint has acknowledged",
  },
  "firehose.files": { unit: "Count", kind: "counter", tier: 1, doc: "Parquet files that it wrote" },
  "firehose.errors": { unit: "Count", kind: "counter", tier: 1, doc: "rows that it wrote to the error output" },
  "firehose.failed-deliveries": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    doc: "times that a table's rows could not be written to the lake or its journal; they are tried again",
  },
  "firehose.buffered": {
    unit: "Bytes",
    kind: "gauge",
    tier: 2,
    doc: "acknowledged bytes that are not in a Parquet file yet",
  },
  "event-source.records": { unit: "Count", kind: "counter", tier: 1, doc: "records that functions have processed" },
  "event-source.invocations": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    doc: "invocations of functions, retries included",
  },
  "event-source.retries": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    doc: "invocations that failed, wholly or in part",
  },
  "event-source.discarded": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    doc: "records that went to an on-failure destination",
  },
  "event-source.lag": { unit: "Count", kind: "gauge", tier: 1, doc: "records that functions have not read yet" },
  "event-source.group-lag": {
    unit: "Count",
    kind: "gauge",
    tier: 1,
    label: "group",
    doc: "records that a consumer group has not committed yet",
  },
  "audit-output.records": { unit: "Count", kind: "counter", tier: 1, doc: "output records read, each once" },
  "audit-output.redelivered": {
    unit: "Count",
    kind: "counter",
    tier: 3,
    doc: "output records that the event source delivered again",
  },
  "audit-output.unreadable": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    doc: "output records that do not follow their contract",
  },
  "audit-output.repeated-ids": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    doc: "output records whose id was read before in their topic; those of aborted transactions are read, too",
  },
  "audit-output.ids-out-of-order": {
    unit: "Count",
    kind: "counter",
    tier: 3,
    doc: "output records whose id was not read before, though a later one was",
  },
  "audit-output.begun-anew": {
    unit: "Count",
    kind: "counter",
    tier: 3,
    doc: "times that records of a partition were read elsewhere, so that its windows have no neighbour here",
  },
  "audit-output.keys": {
    unit: "Count",
    kind: "gauge",
    tier: 3,
    doc: "sensors and symbols, per operator, whose windows are compared",
  },
  "audit-output.open-gaps": {
    unit: "Count",
    kind: "gauge",
    tier: 3,
    doc: "windows that are missing between two neighbours and may still come",
  },
  "audit-output.unknown-revisions": {
    unit: "Count",
    kind: "counter",
    tier: 3,
    doc: "revisions of windows that are not remembered: completeness leaves out what they added",
  },
  "audit-output.sensor-event-to-output": {
    unit: "Milliseconds",
    kind: "timing",
    tier: 1,
    doc: "from a window's end to the timestamp of the record that was written for it",
  },
  "audit-output.sensor-event-to-read": {
    unit: "Milliseconds",
    kind: "timing",
    tier: 1,
    doc: "from a window's end to when its record was read, up to 10 s of gathering included",
  },
  "audit-output.sensor-ingest-to-output": {
    unit: "Milliseconds",
    kind: "timing",
    tier: 1,
    doc: "from ingest of the record that caused it to the timestamp of a window record",
  },
  "audit-output.sensor-ingest-to-read": {
    unit: "Milliseconds",
    kind: "timing",
    tier: 1,
    doc: "from ingest of the record that caused it to when a window record was read, up to 10 s of gathering included",
  },
  "audit-output.sensor-missing-windows": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    doc: "windows that never came between two neighbours with traffic",
  },
  "audit-output.sensor-first-readings": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    doc: "readings in revision 0 of a window, once for each",
  },
  "audit-output.sensor-readings": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    doc: "those, the ones that later revisions added, and the ones that missed a window",
  },
  "audit-output.market-event-to-output": {
    unit: "Milliseconds",
    kind: "timing",
    tier: 1,
    doc: "from a trade's time to the timestamp of the record that was written for it",
  },
  "audit-output.market-event-to-read": {
    unit: "Milliseconds",
    kind: "timing",
    tier: 1,
    doc: "from a trade's time to when its record was read, up to 10 s of gathering included",
  },
  "audit-output.market-ingest-to-output": {
    unit: "Milliseconds",
    kind: "timing",
    tier: 1,
    doc: "from ingest of the record that caused it to the timestamp of an enriched trade",
  },
  "audit-output.market-ingest-to-read": {
    unit: "Milliseconds",
    kind: "timing",
    tier: 1,
    doc: "from ingest of the record that caused it to the read of an enriched trade, up to 10 s of gathering included",
  },
  "audit-output.market-missing-windows": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    doc: "bars that never came between two neighbours with traffic",
  },
  "audit-output.market-first-readings": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    doc: "trades in revision 0 of a bar, once for each",
  },
  "audit-output.market-readings": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    doc: "those, the ones that later revisions added, and the ones that missed a bar",
  },
  "audit-output.sensor-completeness": {
    unit: "Percent",
    kind: "gauge",
    tier: 1,
    doc: "readings in revision 0 over all, of the last five minutes",
  },
  "audit-output.market-completeness": {
    unit: "Percent",
    kind: "gauge",
    tier: 1,
    doc: "trades in revision 0 over all, of the last five minutes",
  },
  "events.entries": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    doc: "entries that the local event bus has acknowledged",
  },
  "events.unmatched": {
    unit: "Count",
    kind: "counter",
    tier: 2,
    doc: "acknowledged entries that no rule takes: they are dropped",
  },
  "events.refused": { unit: "Count", kind: "counter", tier: 1, doc: "entries that failed" },
  "events.waiting-bytes": {
    unit: "Bytes",
    kind: "gauge",
    tier: 2,
    doc: "events that wait for the function, on the disk",
  },
  "events.delivered": { unit: "Count", kind: "counter", tier: 1, doc: "events that the function has processed" },
  "events.retries": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    doc: "deliveries of an event to the function that failed",
  },
  "events.discarded": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    doc: "events that went to the on-failure destination",
  },
  "gateway.connections": { unit: "Count", kind: "gauge", tier: 2, doc: "open WebSocket connections" },
  "gateway.requests": { unit: "Count", kind: "counter", tier: 1, doc: "REST requests" },
  "gateway.posts": { unit: "Count", kind: "counter", tier: 1, doc: "messages posted to connections" },
  "local.restarts": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    doc: "programs and servers that `npm start` started again",
  },
  "local.not-running": {
    unit: "Count",
    kind: "gauge",
    tier: 1,
    doc: "programs and servers of `npm start` that should run and do not, or not yet",
  },
  "program.starts": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    doc: "1 from the start on: what is added in a period is the number of starts in it",
  },
  "program.errors": {
    unit: "Count",
    kind: "counter",
    tier: 1,
    doc: "lines of level error, those that were summed up included",
  },
  "program.cpu-time": {
    unit: "Milliseconds",
    kind: "counter",
    tier: 2,
    doc: "CPU time that the process used, of all its threads",
  },
  "program.rss": { unit: "Bytes", kind: "gauge", tier: 2, doc: "memory of the process" },
  "program.heap-used": { unit: "Bytes", kind: "gauge", tier: 2, doc: "used part of V8's heap" },
  "program.heap-share": { unit: "Percent", kind: "gauge", tier: 2, doc: "used part of V8's heap over its limit" },
  "program.event-loop-delay": {
    unit: "Milliseconds",
    kind: "gauge",
    tier: 2,
    doc: "99th percentile of the event loop's delay in the last 10 s",
  },
  "program.gc-pauses": { unit: "Milliseconds", kind: "timing", tier: 3, doc: "pauses by garbage collection" },
} as const satisfies Record<string, MetricSpec>;

export type MetricName = keyof typeof metrics;

/** Names of the metrics of one kind. */
export type MetricOf<K extends MetricSpec["kind"]> = {
  [N in MetricName]: (typeof metrics)[N]["kind"] extends K ? N : never;
}[MetricName];

/** A metric without a label, or one value of a label, such as `processor.dead-letters{code="invalid-json"}`. */
export type SeriesOf<K extends MetricSpec["kind"]> = {
  [N in MetricOf<K>]: (typeof metrics)[N] extends { label: infer L extends LabelName }
    ? `${N}{${L}="${(typeof labels)[L][number]}"}`
    : N;
}[MetricOf<K>];

export type Series = SeriesOf<MetricSpec["kind"]>;

/** The metric of a series, and its label if it has one. */
export function seriesParts(series: Series): {
  readonly name: MetricName;
  readonly label: { readonly name: LabelName; readonly value: string } | undefined;
} {
  const at = series.indexOf("{");
  if (at < 0) return { name: series as MetricName, label: undefined };
  const [label, value] = series.slice(at + 1, -2).split('="');
  return { name: series.slice(0, at) as MetricName, label: { name: label as LabelName, value: value! } };
}
