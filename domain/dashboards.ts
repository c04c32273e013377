import type { Figure, ServiceMetric } from "./alarm-spec.ts";
import { letters } from "./alarms.ts";
import type { OfPipeline } from "./pipelines.ts";
import { MINUTE, type Milliseconds } from "./time.ts";

/** Every figure of a graph is of this much time. */
export const GRAPH_PERIOD_MS: Milliseconds = MINUTE;

/** One line of a graph. */
export interface GraphLine extends OfPipeline {
  readonly label: string;
  /** What the page of `npm start` draws, and CloudWatch too where there is no `service`. */
  readonly figure?: Figure;
  /** What the services of AWS report instead; a line for each resource. */
  readonly service?: ServiceMetric;
}

export interface Graph {
  readonly title: string;
  /** Of all lines. */
  readonly unit: string;
  /** What a healthy platform shows, as a sentence without its end. */
  readonly good: string;
  /** The alarm whose threshold is drawn; it has the graph's unit. */
  readonly alarm?: string;
  readonly lines: readonly GraphLine[];
}

const growth = (...counters: Extract<Figure, { of: "growth" }>["counters"]): Figure => ({ of: "growth", counters });
const highest = (gauge: Extract<Figure, { of: "gauge" }>["gauge"]): Figure => ({
  of: "gauge",
  gauge,
  statistic: "Maximum",
});
const p99 = (timing: Extract<Figure, { of: "p99" }>["timing"]): Figure => ({ of: "p99", timing });

/** Whether it works: the first page to open. */
const health: readonly Graph[] = [
  {
    title: "Records in",
    unit: "records/min",
    good: "A line without holes: the bridge's ticks alone are 60 a minute and partition",
    lines: [
      { label: "sensor", pipeline: "sensor", figure: growth("processor.records"), service: "input-records" },
      { label: "market", pipeline: "market", figure: growth("processor.records"), service: "input-records" },
    ],
  },
  {
    title: "Results out",
    unit: "records/min",
    good: "Follows the records in; a sensor that moves gives a window a second",
    lines: [
      { label: "sensor", pipeline: "sensor", figure: growth("processor.windows"), service: "output-records" },
      { label: "market", pipeline: "market", figure: growth("processor.windows"), service: "output-records" },
    ],
  },
  {
    title: "Programs down",
    unit: "programs",
    good: "0, but for seconds after a restart",
    alarm: "program-down",
    lines: [{ label: "not running", figure: highest("local.not-running"), service: "services-down" }],
  },
  {
    title: "Partitions stopped",
    unit: "partitions",
    good: "0",
    alarm: "partition-stopped-sensor",
    lines: [
      { label: "stopped", figure: highest("processor.stopped-partitions"), service: "stopped-partition-lines" },
      { label: "failing", figure: highest("processor.failing-partitions") },
    ],
  },
  {
    title: "Kafka: oldest record without acknowledgement",
    unit: "ms",
    good: "Under a hundred",
    alarm: "brokers-gone",
    lines: [{ label: "bridge", figure: highest("bridge.kafka-silence") }],
  },
  {
    title: "Snapshots: age of the oldest",
    unit: "ms",
    good: "Under twice the interval of 10 s",
    lines: [{ label: "processor", figure: highest("processor.snapshot-age") }],
  },
];

/** How fast and how complete. */
const speed: readonly Graph[] = [
  {
    title: "Ingest to result, p99",
    unit: "ms",
    good: "Under 1,000",
    alarm: "latency-sensor",
    lines: [
      { label: "sensor", pipeline: "sensor", figure: p99("audit-output.sensor-ingest-to-output") },
      { label: "market", pipeline: "market", figure: p99("audit-output.market-ingest-to-output") },
    ],
  },
  {
    title: "Lag",
    unit: "records",
    good: "Some hundred, and flat",
    alarm: "lag-sensor",
    lines: [
      { label: "sensor", pipeline: "sensor", figure: highest("processor.lag"), service: "offset-lag" },
      { label: "market", pipeline: "market", figure: highest("processor.lag"), service: "offset-lag" },
    ],
  },
  {
    title: "Complete at first firing",
    unit: "%",
    good: "Over 99",
    alarm: "completeness-sensor",
    lines: [
      {
        label: "sensor",
        pipeline: "sensor",
        figure: { of: "share", part: "audit-output.sensor-first-readings", whole: "audit-output.sensor-readings" },
      },
      {
        label: "market",
        pipeline: "market",
        figure: { of: "share", part: "audit-output.market-first-readings", whole: "audit-output.market-readings" },
      },
    ],
  },
  {
    title: "Behind the newest record",
    unit: "s",
    good: "Under 5",
    alarm: "behind-sensor",
    lines: [
      { label: "sensor", pipeline: "sensor", service: "time-lag" },
      { label: "market", pipeline: "market", service: "time-lag" },
    ],
  },
  {
    title: "Commit of a transaction, p99",
    unit: "ms",
    good: "Under 100",
    lines: [{ label: "processor", figure: p99("processor.commit-latency") }],
  },
  {
    title: "Snapshot, p99",
    unit: "ms",
    good: "Under 1,000",
    alarm: "checkpoint-slow",
    lines: [{ label: "processor", figure: p99("processor.snapshot-duration") }],
  },
  {
    title: "REST answer, p99",
    unit: "ms",
    good: "Under 200",
    alarm: "rest-slow",
    lines: [{ label: "REST API", service: "rest-latency" }],
  },
];

/** What went wrong. */
const errors: readonly Graph[] = [
  {
    title: "Dead letters",
    unit: "records/min",
    good: "0",
    alarm: "dead-letter-flood",
    lines: [{ label: "all", figure: growth("processor.dead-letters", "bridge.dead-letters"), service: "dead-letters" }],
  },
  {
    title: "Dead letters by cause",
    unit: "records/min",
    good: "0",
    alarm: "step-failed",
    lines: [
      { label: "our own code", figure: letters("processing-failed", "state-failed") },
      { label: "a clock", figure: letters("event-from-the-future", "event-too-old") },
      { label: "a refused model", figure: letters("model-refused") },
    ],
  },
  {
    title: "Late",
    unit: "readings (on AWS records) a minute",
    good: "0, but for the minutes after somebody was offline",
    alarm: "late-sensor",
    lines: [
      { label: "sensor", pipeline: "sensor", figure: growth("processor.late-readings"), service: "late-records" },
      { label: "market", pipeline: "market", figure: growth("processor.late-readings"), service: "late-records" },
    ],
  },
  {
    title: "Restarts",
    unit: "a minute",
    good: "0",
    alarm: "program-restarted",
    lines: [
      { label: "programs", figure: growth("local.restarts") },
      { label: "tasks", figure: growth("processor.restarts") },
    ],
  },
  {
    title: "Snapshots that failed",
    unit: "snapshots/min",
    good: "0",
    alarm: "checkpoint-failed",
    lines: [{ label: "processor", figure: growth("processor.snapshot-failures") }],
  },
  {
    title: "Given up by functions",
    unit: "records",
    good: "0",
    alarm: "records-given-up",
    lines: [
      {
        label: "given up",
        figure: growth("event-source.discarded", "events.discarded"),
        service: "failure-queue",
      },
    ],
  },
  {
    title: "Failed deliveries to the lake",
    unit: "deliveries (%, on AWS)",
    good: "0",
    alarm: "lake-delivery-failed",
    lines: [{ label: "lake", figure: growth("firehose.failed-deliveries"), service: "lake-failures" }],
  },
  {
    title: "Found by the audit",
    unit: "records/min",
    good: "0",
    alarm: "unreadable-outputs",
    lines: [
      { label: "ids that came twice", figure: growth("audit-output.repeated-ids") },
      { label: "unreadable", figure: growth("audit-output.unreadable") },
      { label: "missing windows, sensor", pipeline: "sensor", figure: growth("audit-output.sensor-missing-windows") },
      { label: "missing windows, market", pipeline: "market", figure: growth("audit-output.market-missing-windows") },
    ],
  },
  {
    title: "REST: server errors",
    unit: "answers/min",
    good: "0",
    lines: [{ label: "REST API", service: "rest-errors" }],
  },
  {
    title: "Trades that were not delivered",
    unit: "events/min",
    good: "0",
    alarm: "trades-undelivered",
    lines: [{ label: "rule", pipeline: "market", service: "undelivered-trades" }],
  },
];

/** How much room is left. */
const capacity: readonly Graph[] = [
  {
    title: "Heap used, of its limit",
    unit: "%",
    good: "Under 60",
    alarm: "memory",
    lines: [{ label: "fullest program", figure: highest("program.heap-share") }],
  },
  {
    title: "CPU of services",
    unit: "%",
    good: "Under 70",
    lines: [{ label: "service", service: "service-cpu" }],
  },
  {
    title: "Event loop's delay, p99",
    unit: "ms",
    good: "Under 50",
    lines: [{ label: "slowest program", figure: highest("program.event-loop-delay") }],
  },
  {
    title: "Outputs that wait for a transaction",
    unit: "bytes",
    good: "Under a megabyte; reading stops at 64 MB",
    lines: [{ label: "processor", figure: highest("processor.waiting-bytes") }],
  },
  {
    title: "Lag of functions",
    unit: "records",
    good: "Some thousand: they gather for seconds",
    alarm: "slow-consumer",
    lines: [{ label: "functions", figure: highest("event-source.lag"), service: "function-offset-lag" }],
  },
  {
    title: "Not in the lake yet",
    unit: "bytes (buffers, on AWS)",
    good: "A sawtooth; on AWS under 2",
    lines: [{ label: "lake", figure: highest("firehose.buffered"), service: "lake-freshness" }],
  },
  {
    title: "Sensors or symbols in state",
    unit: "keys",
    good: "The number of those in use, divided among the processors",
    lines: [{ label: "fullest processor", figure: highest("processor.sensors") }],
  },
  {
    title: "WebSocket connections",
    unit: "connections",
    good: "The number of open pages and clients",
    lines: [{ label: "live", figure: highest("live.connections") }],
  },
  {
    title: "Trades: oldest that waits",
    unit: "s",
    good: "Under 5",
    alarm: "trades-waiting",
    lines: [{ label: "queue", pipeline: "market", service: "waiting-trades" }],
  },
];

/** The four dashboards, for CloudWatch and for the page of `npm start`. */
export const dashboards = { health, performance: speed, errors, capacity } as const;
export type DashboardName = keyof typeof dashboards;
