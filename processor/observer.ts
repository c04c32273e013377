import type { Logger } from "../adapters/log.ts";
import type { Metrics } from "../adapters/metrics.ts";
import type { MetricName } from "../domain/metrics.ts";
import { topics } from "../domain/topics.ts";
import type { EngineObserver } from "./engine/ports.ts";

type Counter = "processor.windows" | "processor.dead-letters" | "processor.inferences";
const countedTopics: ReadonlyMap<string, Counter & MetricName> = new Map([
  [topics.aggregated.name, "processor.windows"],
  [topics.marketAggregated.name, "processor.windows"],
  [topics.deadLetter.name, "processor.dead-letters"],
  [topics.inference.name, "processor.inferences"],
]);

/** Turns what the engine tells into logs and metrics. */
export function engineObserver(logger: Logger, metrics: Metrics): EngineObserver {
  const lags = new Map<string, number>();
  const snapshotBytes = new Map<string, number>();
  const sum = (values: ReadonlyMap<string, number>): number => [...values.values()].reduce((total, value) => total + value, 0);
  return {
    log: (level, fields, message) => logger[level](fields, message),
    stepped: (_task, records, outputs) => {
      metrics.add("processor.records", records);
      for (const output of outputs) {
        const counter = countedTopics.get(output.topic);
        if (counter) metrics.add(counter);
      }
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
