import type { Logger } from "../adapters/log.ts";
import type { Metrics } from "../adapters/metrics.ts";
import type { MetricName } from "../domain/metrics.ts";
import type { EngineObserver } from "./engine/ports.ts";
import { PartitionMachine } from "./path/partition-machine.ts";
import type { Figures } from "./path/station.ts";

/** Metrics of what a machine counts. */
const counters = {
  readings: "processor.readings",
  duplicates: "processor.duplicates",
  deadLetters: "processor.dead-letters",
  lateReadings: "processor.late-readings",
  windows: "processor.windows",
  sessionsStarted: "processor.sessions-started",
  sessionsEnded: "processor.sessions-ended",
  inferences: "processor.inferences",
} as const satisfies Record<keyof Figures, MetricName>;

/** Turns what the engine tells into logs and metrics. */
export function engineObserver(logger: Logger, metrics: Metrics): EngineObserver {
  const lags = new Map<string, number>();
  const snapshotBytes = new Map<string, number>();
  const sum = (values: ReadonlyMap<string, number>): number => [...values.values()].reduce((total, value) => total + value, 0);
  const counting = new Map<string, { readonly figures: Figures; reported: Figures }>();
  const report = (counted: { readonly figures: Figures; reported: Figures }): void => {
    for (const [name, metric] of Object.entries(counters) as [keyof Figures, (typeof counters)[keyof Figures]][]) {
      const more = counted.figures[name] - counted.reported[name];
      if (more > 0) metrics.add(metric, more);
    }
    counted.reported = { ...counted.figures };
  };
  return {
    log: (level, fields, message) => logger[level](fields, message),
    running: (task, machine) => {
      if (machine instanceof PartitionMachine) counting.set(task, { figures: machine.figures, reported: { ...machine.figures } });
    },
    stepped: (task, records) => {
      metrics.add("processor.records", records);
      const counted = counting.get(task);
      if (counted) report(counted);
    },
    committed: (task, { latencyMs, lag }) => {
      metrics.time("processor.commit-latency", latencyMs);
      lags.set(task, lag);
      metrics.set("processor.lag", sum(lags));
    },
    snapshotWritten: (task, { bytes }) => {
      snapshotBytes.set(task, bytes);
      metrics.set("processor.snapshot-bytes", sum(snapshotBytes));
    },
    restarted: (task, error) => {
      metrics.add("processor.restarts");
      logger.warn({ task, err: error }, "task starts again");
    },
    recovered: (_task, milliseconds) => metrics.time("processor.recovery-time", milliseconds),
  };
}
