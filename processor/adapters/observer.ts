import type { Logger } from "../../adapters/log.ts";
import type { Metrics } from "../../adapters/metrics.ts";
import type { SeriesOf } from "../../domain/metrics.ts";
import { headers } from "../../domain/topics.ts";
import type { EngineObserver } from "../engine/ports.ts";
import type { InputRecord } from "../runtime/machine.ts";
import { PartitionMachine } from "../runtime/partition-machine.ts";

/** What is known of a task that this process owns. */
interface TaskFacts {
  /** The task's machine; null until it has caught up. */
  machine: PartitionMachine | null;
  /** The machine's counts that are in the metrics already. */
  reported: ReadonlyMap<SeriesOf<"counter">, number>;
  lag: number;
  snapshotBytes: number;
  /** When the newest snapshot was written or the task began to run, by the process's clock; null before that. */
  snapshotAt: number | null;
  waitingOutputs: number;
  waitingBytes: number;
  /** Whether its last life failed and none has committed since. */
  failing: boolean;
}

const NEW_TASK: TaskFacts = {
  machine: null,
  reported: new Map(),
  lag: 0,
  snapshotBytes: 0,
  snapshotAt: null,
  waitingOutputs: 0,
  waitingBytes: 0,
  failing: false,
};

/** Turns what the engine reports into logs and metrics. */
export function engineObserver(logger: Logger, metrics: Metrics): EngineObserver {
  const tasks = new Map<string, TaskFacts>();
  const stopped = new Map<string, number>();
  const factsOf = (task: string): TaskFacts => {
    let facts = tasks.get(task);
    if (!facts) tasks.set(task, (facts = { ...NEW_TASK }));
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
    const lagOfStopped = [...stopped.values()].reduce((total, each) => total + each, 0);
    metrics.set("processor.lag", lag + lagOfStopped);
    metrics.set("processor.stopped-partitions", stopped.size);
    metrics.set("processor.failing-partitions", owned.filter(({ failing }) => failing).length);
    metrics.set(
      "processor.waiting-outputs",
      sum((facts) => facts.waitingOutputs),
    );
    metrics.set(
      "processor.waiting-bytes",
      sum((facts) => facts.waitingBytes),
    );
    metrics.set("processor.snapshot-bytes", snapshotBytes);
    metrics.set("processor.sensors", sensors);
    metrics.set("processor.watermark-lag", Math.max(0, ...owned.map(({ machine }) => machine?.watermarkLagMs ?? 0)));
  };
  metrics.observe("processor.tasks", () => tasks.size + stopped.size);
  metrics.observe("processor.snapshot-age", () => {
    const times = [...tasks.values()].flatMap(({ snapshotAt }) => snapshotAt ?? []);
    return times.length === 0 ? undefined : performance.now() - Math.min(...times);
  });
  return {
    log: (level, fields, message) => logger[level](fields, message),
    running: (task, machine) => {
      if (!(machine instanceof PartitionMachine)) return;
      const facts = factsOf(task);
      facts.machine = machine;
      facts.snapshotAt ??= performance.now();
      facts.reported = new Map(machine.counters.entries());
    },
    stepped: (task, records) => {
      metrics.add("processor.records", records);
      reportCounts(factsOf(task));
    },
    committed: (task, { latencyMs, lag, intervalMs, first }) => {
      metrics.time("processor.commit-latency", latencyMs);
      if (intervalMs !== undefined) metrics.time("processor.commit-interval", intervalMs);
      if (first !== undefined) metrics.time("processor.ingest-to-commit", Math.max(0, Date.now() - ingestOf(first)));
      Object.assign(factsOf(task), { lag, failing: false });
      setGauges();
    },
    lag: (task, offsets) => {
      if (stopped.has(task)) stopped.set(task, offsets);
      else factsOf(task).lag = offsets;
      setGauges();
    },
    waiting: (task, { outputs, bytes, paused }) => {
      if (paused) metrics.add("processor.reading-paused");
      Object.assign(factsOf(task), { waitingOutputs: outputs, waitingBytes: bytes });
    },
    stopped: (task, isStopped) => {
      if (isStopped) stopped.set(task, 0);
      else stopped.delete(task);
      setGauges();
    },
    snapshotWritten: (task, { bytes, milliseconds }) => {
      metrics.add("processor.snapshots");
      metrics.time("processor.snapshot-duration", milliseconds);
      Object.assign(factsOf(task), { snapshotBytes: bytes, snapshotAt: performance.now() });
      setGauges();
    },
    snapshotFailed: () => metrics.add("processor.snapshot-failures"),
    restarted: (task, error) => {
      metrics.add("processor.restarts");
      factsOf(task).failing = true;
      setGauges();
      logger.warn({ task, err: error }, "task starts again");
    },
    recovered: (_task, milliseconds) => metrics.time("processor.recovery-time", milliseconds),
    ended: (task) => {
      tasks.delete(task);
      setGauges();
    },
  };
}

/** When a record was ingested: what the bridge wrote, or when the broker got it. Epoch ms. */
function ingestOf({ headers: values, timestamp }: InputRecord): number {
  const ingestMs = Number(values[headers.ingestMs]);
  return ingestMs > 0 ? ingestMs : timestamp;
}
