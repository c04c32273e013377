import type { Logger } from "../../adapters/log.ts";
import type { Metrics } from "../../adapters/metrics.ts";
import type { MetricName } from "../../domain/metrics.ts";
import type { EngineObserver } from "../engine/ports.ts";
import type { Figures } from "../runtime/operator.ts";
import { PartitionMachine } from "../runtime/partition-machine.ts";

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
const NOTHING = Object.fromEntries(Object.keys(counters).map((name) => [name, 0])) as unknown as Figures;

/** What is known of a task that this process owns. */
interface TaskFacts {
  /** Null until it has caught up. */
  machine: PartitionMachine | null;
  /** What the machine's figures were when they went into the metrics. */
  reported: Figures;
  lag: number;
  snapshotBytes: number;
}

/** Turns what the engine tells into logs and metrics. */
export function engineObserver(logger: Logger, metrics: Metrics): EngineObserver {
  const tasks = new Map<string, TaskFacts>();
  const factsOf = (task: string): TaskFacts => {
    let facts = tasks.get(task);
    if (!facts) tasks.set(task, (facts = { machine: null, reported: NOTHING, lag: 0, snapshotBytes: 0 }));
    return facts;
  };
  const count = (facts: TaskFacts): void => {
    if (!facts.machine) return;
    const { figures } = facts.machine;
    for (const [name, metric] of Object.entries(counters) as [keyof Figures, (typeof counters)[keyof Figures]][]) {
      const more = figures[name] - facts.reported[name];
      if (more > 0) metrics.add(metric, more);
    }
    facts.reported = { ...figures };
  };
  const setGauges = (): void => {
    const owned = [...tasks.values()];
    const sum = (of: (facts: TaskFacts) => number): number => owned.reduce((total, facts) => total + of(facts), 0);
    metrics.set(
      "processor.lag",
      sum(({ lag }) => lag),
    );
    metrics.set(
      "processor.snapshot-bytes",
      sum(({ snapshotBytes }) => snapshotBytes),
    );
    metrics.set(
      "processor.sensors",
      sum(({ machine }) => machine?.keyCount ?? 0),
    );
    metrics.set("processor.watermark-lag", Math.max(0, ...owned.map(({ machine }) => machine?.watermarkLagMs ?? 0)));
  };
  return {
    log: (level, fields, message) => logger[level](fields, message),
    running: (task, machine) => {
      if (!(machine instanceof PartitionMachine)) return;
      const facts = factsOf(task);
      facts.machine = machine;
      facts.reported = { ...machine.figures };
    },
    stepped: (task, records) => {
      metrics.add("processor.records", records);
      count(factsOf(task));
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
