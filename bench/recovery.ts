import { setTimeout as sleep } from "node:timers/promises";
import type { Consumer, Kafka } from "kafkajs";
import type { Semantics } from "../domain/semantics.ts";
import { DEFAULT_PARTITIONS, topics } from "../domain/topics.ts";
import { withBenchServers, type BenchServers } from "./bench-servers.ts";
import { percentile } from "./distribution.ts";
import { assignModel, putInForce } from "./engine.ts";
import { type Load, message, MESSAGE_MS, publishAtRate } from "./load.ts";
import { follow } from "./outputs.ts";
import { ProcessorProcess, until } from "./processor-process.ts";
import type { Bench, Scenario } from "./scenario.ts";
import { showTargets, target, type Target } from "./target.ts";
import { thisVersion } from "./versions.ts";

/** What a processor works on when it is killed. */
interface Variant {
  readonly name: string;
  readonly sensors: number;
  readonly semantics: Partial<Semantics>;
  /** Seconds of event time for which each sensor has a window in the state before the first kill. */
  readonly history: number;
  /** Whether the shipped model scores. */
  readonly model: boolean;
  /** DESIGN section 7: the first new output comes below this, ms. */
  readonly targetMs: number;
}

const variants: readonly Variant[] = [
  { name: "default load", sensors: 20, semantics: {}, history: 0, model: true, targetMs: 3_000 },
  {
    name: "300,000 windows",
    sensors: 1_000,
    semantics: { allowedLatenessMs: 300_000, outputs: "windows" },
    history: 300,
    model: false,
    targetMs: 5_000,
  },
];
const DEFAULT_KILLS = 10;
/** A snapshot is written every ten seconds: kills come at this many places between two of them. */
const SNAPSHOT_MS = 10_000;
const PLACES = 5;

/** One kill, in ms since it. */
export interface Kill {
  /** The group has given partitions to the new process. */
  readonly assignedMs: number;
  /** The first task runs, and the last one. */
  readonly firstRunsMs: number;
  readonly lastRunsMs: number;
  /** The first new output is committed and read, and the first one of the partition that came last. */
  readonly firstOutputMs: number;
  readonly lastOutputMs: number;
  /** CPU time of the new process at its first output, ms. */
  readonly cpuMs: number;
  /** The longest that a task took for each phase of its life, ms. */
  readonly took: Readonly<Record<string, number>>;
  /** The most records that a task ran again. */
  readonly caughtUp: number;
}

export interface RecoveryResult {
  readonly name: string;
  readonly targetMs: number;
  readonly kills: readonly Kill[];
  /** Peak of the processes that took over, MB. */
  readonly peakMb: number;
}

export const recovery: Scenario = {
  about: "kill -9 of a processor, which is started again: time to the first new output, and with 300,000 windows",
  run: async (bench) => void (await measureRecovery(bench)),
};

export async function measureRecovery(bench: Bench): Promise<Target[]> {
  const rows: Target[] = [];
  for (const variant of variants) {
    const result = await killAgainAndAgain(bench, variant);
    bench.report(`recovery, ${variant.name}`, result, `peak ${result.peakMb.toFixed(0)} MB`);
    for (const kill of result.kills) bench.print(showKill(kill));
    rows.push(...recoveryTargets(result));
  }
  bench.print(showTargets(rows));
  return rows;
}

/** The rows of the table of targets: the median and the worst of all kills. */
export function recoveryTargets({ name, targetMs, kills }: RecoveryResult): Target[] {
  const after = kills.map(({ firstOutputMs }) => firstOutputMs);
  const what = `recovery, ${name}: first new output`;
  return [
    target(`${what}, median of ${kills.length}`, percentile(after, 0.5), "below", targetMs, inSeconds),
    target(`${what}, worst`, percentile(after, 1), "below", targetMs, inSeconds),
  ];
}

/** To the hundredth: a value just below its limit must not look like it. */
function inSeconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`;
}

function showKill(kill: Kill): string {
  const range = (first: number, last: number): string => `${inSeconds(first)} to ${inSeconds(last)}`;
  const phases = Object.entries(kill.took).map(([phase, ms]) => `${phase} ${ms}`);
  return [
    `  output ${range(kill.firstOutputMs, kill.lastOutputMs)}: assigned ${inSeconds(kill.assignedMs)}`,
    `tasks run ${range(kill.firstRunsMs, kill.lastRunsMs)} (ms: ${phases.join(", ")})`,
    `${kill.caughtUp} records again`,
    `${inSeconds(kill.cpuMs)} of CPU`,
  ].join(", ");
}

async function killAgainAndAgain(bench: Bench, variant: Variant): Promise<RecoveryResult> {
  const { sensors, semantics, history, model } = variant;
  const load = { sensors, partitions: history > 0 ? 2 : DEFAULT_PARTITIONS, format: "json" } as const;
  const folder = bench.folder(`recovery-${sensors}`);
  return withBenchServers({ partitions: load.partitions, folder }, async ({ kafka, settings }) => {
    const models = model ? { modelSource: `${folder}/models` } : {};
    await putInForce(kafka, semantics);
    if (model) await assignModel(kafka, load.partitions, bench.path("models", "activity"), folder);
    await fillHistory(kafka, load, history);
    const outputs = await Outputs.follow(kafka, load.partitions, semantics.outputs ?? "all");
    const perSecond = (sensors * 1_000) / MESSAGE_MS;
    const published = publishAtRate(kafka, load, perSecond, history);
    const kills: Kill[] = [];
    let peakMb = 0;
    let running = new Watched({ ...settings, ...models });
    try {
      for (let i = 0; i < (bench.options.kills ?? DEFAULT_KILLS); i++) {
        await outputs.allSince(Date.now());
        await until("a lag of less than a second", 300_000, async () => {
          const sample = await running.process.sample();
          return (sample?.lag ?? Infinity) < perSecond || null;
        });
        await sleep(SNAPSHOT_MS + ((i % PLACES) * SNAPSHOT_MS) / PLACES);
        await running.process.kill("SIGKILL");
        const killedAt = Date.now();
        running = new Watched({ ...settings, ...models });
        const { first, last } = await outputs.allSince(killedAt);
        const cpuMs = Math.round(running.process.usage().cpu * 1_000);
        kills.push({
          cpuMs,
          ...running.since(killedAt),
          firstOutputMs: first - killedAt,
          lastOutputMs: last - killedAt,
        });
        peakMb = Math.max(peakMb, running.process.usage().peakMb);
      }
    } finally {
      await running.process.kill("SIGTERM");
      await published.stop();
      await outputs.stop();
    }
    return { name: variant.name, targetMs: variant.targetMs, kills, peakMb };
  });
}

/** One message for each sensor and second of event time until now. */
async function fillHistory(kafka: Kafka, load: Pick<Load, "sensors" | "partitions" | "format">, history: number) {
  const producer = kafka.producer();
  await producer.connect();
  const from = Date.now() - history * 1_000;
  for (let seq = 0; seq < history; seq++) {
    const messages = Array.from({ length: load.sensors }, (_, sensor) =>
      message(load, sensor, seq, from + seq * 1_000),
    );
    await producer.send({ topic: topics.imuData.name, messages, acks: 1 });
  }
  await producer.disconnect();
}

/** When the first output of each partition came that was written after a certain time. */
class Outputs {
  readonly #consumer: Consumer;
  readonly #partitions: number;
  readonly #state: { since: number; readonly at: Map<number, number> };

  private constructor(consumer: Consumer, partitions: number, state: { since: number; at: Map<number, number> }) {
    this.#consumer = consumer;
    this.#partitions = partitions;
    this.#state = state;
  }

  static async follow(kafka: Kafka, partitions: number, outputs: Semantics["outputs"]): Promise<Outputs> {
    const topic = outputs === "windows" ? topics.aggregated : topics.transformed;
    const state = { since: Infinity, at: new Map<number, number>() };
    const consumer = await follow(kafka, topic.name, "end", ({ partition, timestamp, receivedAt }) => {
      if (timestamp >= state.since && !state.at.has(partition)) state.at.set(partition, receivedAt);
    });
    return new Outputs(consumer, partitions, state);
  }

  /** Waits for an output of each partition that was written from `since` on: what was written before may come late. */
  async allSince(since: number): Promise<{ readonly first: number; readonly last: number }> {
    this.#state.at.clear();
    this.#state.since = since;
    await until("an output of each partition", 120_000, async () => this.#state.at.size === this.#partitions || null);
    const at = [...this.#state.at.values()];
    return { first: Math.min(...at), last: Math.max(...at) };
  }

  async stop(): Promise<void> {
    await this.#consumer.disconnect();
  }
}

/** What a processor's log says of its tasks. */
interface Line {
  readonly time: string;
  readonly msg: string;
  readonly partitions?: readonly number[];
  readonly from?: number;
  readonly committed?: number | null;
  readonly took?: Readonly<Record<string, number>>;
}

/** A processor whose log is read. */
class Watched {
  readonly process: ProcessorProcess;
  readonly #lines: Line[] = [];

  constructor(settings: BenchServers["settings"]) {
    this.process = new ProcessorProcess(thisVersion, { ...settings, logLevel: "info" }, (text) => {
      if (!text.startsWith("{")) return void process.stderr.write(`${text}\n`); // not a line of the log
      const line = JSON.parse(text) as Line;
      const isAssigned = line.msg === "partitions assigned" && line.partitions!.length > 0;
      if (isAssigned || line.msg === "task runs") this.#lines.push(line);
    });
  }

  since(at: number): Omit<Kill, "firstOutputMs" | "lastOutputMs" | "cpuMs"> {
    const after = (line: Line | undefined): number => (line ? Date.parse(line.time) - at : NaN);
    const run = this.#lines.filter(({ msg }) => msg === "task runs");
    const took: Record<string, number> = {};
    for (const line of run)
      for (const [phase, ms] of Object.entries(line.took ?? {})) took[phase] = Math.max(took[phase] ?? 0, ms);
    return {
      assignedMs: after(this.#lines.find(({ msg }) => msg === "partitions assigned")),
      firstRunsMs: after(run[0]),
      lastRunsMs: after(run.at(-1)),
      took,
      caughtUp: Math.max(...run.map(({ from, committed }) => (committed ?? from ?? 0) - (from ?? 0))),
    };
  }
}
