import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { DEFAULT_PARTITIONS } from "../../domain/topics.ts";
import { eventually } from "../support/eventually.ts";
import { produceForeignBatches } from "./foreign-batch.ts";
import { producePoison } from "./poison.ts";
import { groupSize, startSecondProcessor } from "./second-processor.ts";
import { UP_LIMIT_MS, type Stage } from "./stage.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const AWAY_MS = 60_000;
/** How long the MQTT broker's disk stays full after the broker has noticed. */
const FULL_MS = 15_000;
const BRIDGE_KILLS = 6;

/** What the processors may answer to one fault with, over all their tasks. */
export interface Bounds {
  /** Lives that end and begin again inside a process. */
  readonly restarts: number;
  /** Tasks that another owner has fenced. */
  readonly fenced: number;
}

export interface Fault {
  readonly name: string;
  readonly bounds: Bounds;
  /** Injects the fault and takes it away again. @returns What to say of it */
  readonly run: (stage: Stage) => Promise<string>;
}

const NONE: Bounds = { restarts: 0, fenced: 0 };
/** Every task may meet the fault in two lives: where it happens, and where it still lasts. */
const TWICE: Bounds = { restarts: 2 * DEFAULT_PARTITIONS, fenced: DEFAULT_PARTITIONS };
/** Partitions move between processors, and each may be fenced where it was. */
const MOVED: Bounds = { restarts: DEFAULT_PARTITIONS, fenced: DEFAULT_PARTITIONS };
/** Waits between lives grow: a task meets what lasts a minute some six times. */
const LASTING: Bounds = { restarts: 6 * DEFAULT_PARTITIONS, fenced: DEFAULT_PARTITIONS };

const killBounds: Readonly<Record<string, Bounds>> = { kafka: TWICE, processor: MOVED, "processor-market": MOVED };

/** The processes that `kill` chooses from. The processor and the bridge, which carry the guarantees, come twice. */
export const PROCESSES = [
  ...["bridge", "processor", "live", "event-source", "gateway", "firehose", "features"],
  ...["kafka", "mqtt", "dynamodb", "mongodb", "processor", "bridge"],
];

/** What `kill` chooses from besides, where the market runs. */
const MARKET_PROCESSES = ["processor-market", "events", "processor-market"];

/** Kills a process of the platform by `kill -9`, and waits for its successor. */
export function killOf(process: string): Fault {
  return {
    name: "kill",
    bounds: killBounds[process] ?? NONE,
    run: async (stage) => {
      const recoveryMs = await kill(stage, process);
      return `killed ${process}; its successor runs after ${recoveryMs} ms`;
    },
  };
}

/** @returns Milliseconds until the successor runs */
async function kill({ platform }: Stage, name: string): Promise<number> {
  const pid = platform.pids()[name];
  if (pid === undefined) throw new Error(`${name} is no process of the platform`);
  const at = Date.now();
  process.kill(pid, "SIGKILL");
  await platform.untilSucceeded(name, pid, UP_LIMIT_MS);
  return Date.now() - at;
}

/** The named faults, `kill` apart. */
export const faults = {
  /** One of three Kafka brokers dies and returns. */
  brokers: {
    bounds: TWICE,
    run: async ({ cluster, random }) => {
      const id = Math.floor(random() * cluster!.brokers.length);
      const broker = cluster!.brokers[id]!;
      await broker.kill();
      await delay(random() * 10_000);
      await broker.start();
      await cluster!.inSync();
      return `killed broker ${id + 1} of ${cluster!.brokers.length}; all replicas are in sync again`;
    },
  },
  /** DynamoDB does not answer for a minute. */
  "dynamodb-away": {
    bounds: LASTING,
    run: async ({ platform }) => {
      const pid = platform.pids()["dynamodb"]!;
      process.kill(pid, "SIGSTOP");
      try {
        await delay(AWAY_MS);
      } finally {
        process.kill(pid, "SIGCONT");
      }
      return `DynamoDB did not answer for ${AWAY_MS / 1_000} s`;
    },
  },
  /** Records that no device sends. Each becomes a dead letter. */
  poison: { bounds: NONE, run: async (stage) => `${await producePoison(stage)} poison records are in the input` },
  /** Kafka's own producer writes batches by each codec. */
  "foreign-batch": { bounds: NONE, run: async (stage) => `foreign batches: ${await produceForeignBatches(stage)}` },
  /** `npm run settings -- set` changes windows, lateness and the gap of sessions. */
  settings: {
    bounds: NONE,
    run: async ({ kafkaBrokers, settingsChanges }) => {
      const [seconds, minutes, gap] = settingsChanges.length % 2 === 0 ? [2, 4, 4] : [1, 5, 5];
      const options = [
        ...["--window", `${seconds * 1_000}`, "--slide", `${seconds * 1_000}`],
        ...["--lateness", `${minutes * 60_000}`, "--session-gap", `${gap * 1_000}`],
      ];
      // Given again after it was interrupted, a change is finished.
      const change = `chaos-${settingsChanges.length + 1}`;
      const command = ["processor/commands/settings/main.ts", "set", ...options, "--change", change];
      await promisify(execFile)(
        process.execPath,
        ["--disable-warning=ExperimentalWarning", ...command, "--brokers", kafkaBrokers],
        { cwd: ROOT },
      );
      settingsChanges.push(change);
      return `settings: ${options.join(" ")}`;
    },
  },
  /** A second processor joins, each is restarted in turn as a deployment does it, and the second leaves. */
  "rolling-restart": {
    bounds: { restarts: MOVED.restarts, fenced: 2 * DEFAULT_PARTITIONS },
    run: async (stage) => {
      const { platform } = stage;
      let second = await startSecondProcessor(stage);
      try {
        await groupSize(stage, 2);
        const pid = platform.pids()["processor"]!;
        process.kill(pid, "SIGTERM");
        await platform.untilSucceeded("processor", pid, UP_LIMIT_MS);
        await groupSize(stage, 2);
        await second.stop();
        second = await startSecondProcessor(stage);
        await groupSize(stage, 2);
      } finally {
        await second.stop();
      }
      await groupSize(stage, 1);
      return "two processors were restarted, one after the other";
    },
  },
  /**
   * The MQTT broker finds less free disk than it wants. Its bound is raised, because filling a disk would take rights
   * that users don't have: past the bound, the broker does the same as on a full disk.
   */
  "mqtt-disk-full": {
    bounds: NONE,
    run: async (stage) => {
      const file = join(stage.home, "data", "mqtt", "broker.xml");
      const log = join(stage.home, "logs", "mqtt.log");
      const regular = readFileSync(file, "utf8");
      const full = regular.replace(/<min-disk-free>[^<]*/, "<min-disk-free>1000000G");
      if (full === regular) throw new Error(`${file} has no min-disk-free`);
      const before = readFileSync(log, "utf8").length;
      try {
        writeFileSync(file, full);
        await kill(stage, "mqtt");
        await eventually(() => readFileSync(log, "utf8").slice(before), {
          until: (text) => /AMQ(?:222210|222212|224128)/.test(text),
          limitMs: UP_LIMIT_MS,
        });
        await delay(FULL_MS);
      } finally {
        writeFileSync(file, regular);
        await kill(stage, "mqtt");
      }
      return `the MQTT broker's disk was full for ${FULL_MS / 1_000} s`;
    },
  },
  /** The bridge is killed again and again, also while it starts and subscribes. */
  "bridge-loop": {
    bounds: NONE,
    run: async (stage) => {
      for (let i = 0; i < BRIDGE_KILLS; i++) {
        await kill(stage, "bridge");
        await delay(stage.random() * 1_500);
      }
      return `killed the bridge ${BRIDGE_KILLS} times`;
    },
  },
} as const satisfies Record<string, Omit<Fault, "name">>;

export type FaultName = "kill" | keyof typeof faults;

export const faultNames: readonly FaultName[] = ["kill", ...(Object.keys(faults) as (keyof typeof faults)[])];

/**
 * Rounds of the chosen faults without end, each round in an order of its own. In between something is killed, if `kill`
 * is among them.
 *
 * @param withMarket Whether the market's processes are killed, too.
 */
export function* faultRounds(names: readonly FaultName[], random: () => number, withMarket: boolean): Generator<Fault> {
  const processes = withMarket ? [...PROCESSES, ...MARKET_PROCESSES] : PROCESSES;
  const killed = processes.filter((name) => name !== "kafka" || !names.includes("brokers"));
  const anyKill = (): Fault => killOf(killed[Math.floor(random() * killed.length)]!);
  const others = names.filter((name) => name !== "kill");
  for (;;) {
    if (others.length === 0) yield anyKill();
    const left = [...others];
    while (left.length > 0) {
      const [name] = left.splice(Math.floor(random() * left.length), 1);
      yield { name: name!, ...faults[name!] };
      if (names.includes("kill")) yield anyKill();
    }
  }
}
