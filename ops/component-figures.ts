import type { MetricOf } from "../domain/metrics.ts";

/** How a figure is read from a program's metrics. */
export type FigureSpec =
  | { readonly name: string; readonly rate: MetricOf<"counter">; readonly unit: string; readonly factor?: number }
  | { readonly name: string; readonly value: MetricOf<"gauge" | "counter">; readonly unit: string }
  | { readonly name: string; readonly p99: MetricOf<"timing">; readonly unit: "ms" };

const processor: readonly FigureSpec[] = [
  { name: "records", rate: "processor.records", unit: "/s" },
  { name: "readings", rate: "processor.readings", unit: "/s" },
  { name: "windows", rate: "processor.windows", unit: "/s" },
  { name: "lag", value: "processor.lag", unit: "records" },
  { name: "watermark lag", value: "processor.watermark-lag", unit: "ms" },
  { name: "ingest to commit p99", p99: "processor.ingest-to-commit", unit: "ms" },
  { name: "snapshot age", value: "processor.snapshot-age", unit: "ms" },
  { name: "tasks", value: "processor.tasks", unit: "partitions" },
  { name: "task restarts", value: "processor.restarts", unit: "" },
  { name: "keys in state", value: "processor.sensors", unit: "" },
];

const figures: Readonly<Record<string, readonly FigureSpec[]>> = {
  bridge: [
    { name: "messages", rate: "bridge.messages", unit: "/s" },
    { name: "dead letters", value: "bridge.dead-letters", unit: "" },
    { name: "in flight", value: "bridge.in-flight", unit: "messages" },
    { name: "publish p99", p99: "bridge.publish-latency", unit: "ms" },
  ],
  processor,
  "processor-market": processor,
  live: [
    { name: "frames", rate: "live.frames", unit: "/s" },
    { name: "connections", value: "live.connections", unit: "" },
    { name: "lag", value: "live.lag", unit: "records" },
  ],
  "event-source": [
    { name: "records", rate: "event-source.records", unit: "/s" },
    { name: "invocations", rate: "event-source.invocations", unit: "/s" },
    { name: "lag", value: "event-source.lag", unit: "records" },
    { name: "retries", value: "event-source.retries", unit: "" },
    { name: "given up", value: "event-source.discarded", unit: "records" },
  ],
  firehose: [
    { name: "records", rate: "firehose.records", unit: "/s" },
    { name: "files", value: "firehose.files", unit: "" },
    { name: "not in a file yet", value: "firehose.buffered", unit: "bytes" },
  ],
  gateway: [
    { name: "requests", rate: "gateway.requests", unit: "/s" },
    { name: "posts", rate: "gateway.posts", unit: "/s" },
    { name: "connections", value: "gateway.connections", unit: "" },
  ],
  events: [
    { name: "entries", rate: "events.entries", unit: "/s" },
    { name: "given up", value: "events.discarded", unit: "events" },
  ],
  simulator: [
    { name: "messages", rate: "simulator.messages", unit: "/s" },
    { name: "readings", rate: "simulator.readings", unit: "/s" },
  ],
  "simulator-market": [{ name: "events", rate: "simulator.events", unit: "/s" }],
};

/** What every program has. */
const common: readonly FigureSpec[] = [
  // Milliseconds a second, in per cent of a core.
  { name: "CPU", rate: "program.cpu-time", unit: "% of a core", factor: 0.1 },
  { name: "memory", value: "program.rss", unit: "bytes" },
];

/** The figures of a program. */
export function specsOf(program: string): readonly FigureSpec[] {
  return [...((Object.hasOwn(figures, program) && figures[program]) || []), ...common];
}

/** Whether it is a program with figures of its own. */
export function hasFigures(name: string): boolean {
  return Object.hasOwn(figures, name);
}
