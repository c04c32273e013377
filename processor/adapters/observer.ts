import type { Logger } from "../../adapters/log.ts";
import type { Metrics } from "../../adapters/metrics.ts";
import type { MetricOf } from "../../domain/metrics.ts";
import type { EngineObserver } from "../engine/ports.ts";
import { PartitionMachine } from "../runtime/partition-machine.ts";

/** What is known of a task that this process owns. */
interface TaskFacts {
  /** The task's machine; null until it has caught up. */
  machine: PartitionMachine | null;
  /** The machine's counts that are in the metrics already. */
  reported: ReadonlyMap<MetricOf<"counter">, number>;
  lag: number;
  snapshotBytes: number;
}

/** Turns what the engine reports into logs and metrics. */
export function engineObserver(logger: Logger, metrics: Metrics): EngineObserver {
  const tasks = new Map<string, TaskFacts>();
  const factsOf = (task: string): TaskFacts => {
    let facts = tasks.get(task);
    if (!facts) tasks.set(task, (facts = { machine: null, reported: new Map(), lag: 0, snapshotBytes: 0 }));
    return facts;
  };
  const reportCounts = (facts: TaskFacts): void => {
    if (!facts.machine) return;
    for (const [metric, count] of facts.machine.counters.entries()) {
      const more = count - (facts.reported.get(metric) ?? 0);
      if (more > 0) metrics.add(metric, more);
    }
    facts.reported = new Map(facts.machine.counters.entries());
  };
  const setGauges = (): void => {
    const owned = [...tasks.values()];
    const sum = (of: (facts: TaskFacts) => number): number => owned.reduce((total, facts) => total + of(facts), 0);
    const lag = sum((facts) => facts.lag);
    const snapshotBytes = sum((facts) => facts.snapshotBytes);
    const sensors = sum(({ machine }) => machine?.keyCount ?? 0);
    metrics.set("processor.lag", lag);
    metrics.set("processor.snapshot-bytes", snapshotBytes);
    metrics.set("processor.sensors", sensors);
    metrics.set("processor.watermark-lag", Math.max(0, ...owned.map(({ machine }) => machine?.watermarkLagMs ?? 0)));
  };
  return {
    log: (level, fields, message) => logger[level](fields, message),
    running: (task, machine) => {
      if (!(machine instanceof PartitionMachine)) return;
      const facts = factsOf(task);
      facts.machine = machine;
      facts.reported = new Map(machine.counters.entries());
    },
    stepped: (task, records) => {
      metrics.add("processor.records", records);
      reportCounts(factsOf(task));
    },
    committed: (task, { latencyMs, lag }) => {
      metrics.time("processor.commit-latency", latencyMs);
      factsOf(task).lag = lag;
      setGauges();
    },
    snapshotWritten: (task, { bytes }) => {
      factsOf(task).snapshotBytes = bytes;
      setGauges();
    },
    restarted: (task, error) => {
      metrics.add("processor.restarts");
      logger.warn({ task, err: error }, "task starts again");
    },
    recovered: (_task, milliseconds) => metrics.time("processor.recovery-time", milliseconds),
    ended: (task) => {
      tasks.delete(task);
      setGauges();
    },
  };
}
