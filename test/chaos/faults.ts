import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { createKafka } from "../../adapters/kafka.ts";
import { topics } from "../../domain/topics.ts";
import { pickFreePorts } from "../../local/processes/ports.ts";
import { SERVERS_FOLDER } from "../../local/servers/index.ts";
import { installServers } from "../../local/servers/install.ts";
import { eventually } from "../support/eventually.ts";
import type { KafkaCluster } from "../support/kafka-cluster.ts";
import { isRunning, type StartedPlatform } from "../support/platform.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const UP_LIMIT_MS = 240_000;
/** How long DynamoDB is away. */
const AWAY_MS = 60_000;
/** How long the MQTT broker's disk stays full. */
const FULL_MS = 20_000;
const DISK_MEGABYTES = 192;

/** What a fault has to work with. */
export interface Stage {
  readonly platform: StartedPlatform;
  readonly home: string;
  /** Addresses of Kafka's brokers, separated by commas. */
  readonly brokers: string;
  /** The cluster of three brokers; null when the platform runs its one. */
  readonly cluster: KafkaCluster | null;
  /** Counts the faults of this run, from 0. */
  readonly count: number;
}

/** One fault. */
export interface Fault {
  readonly name: string;
  /** Injects the fault, and resolves when what it hit has recovered. Gives how many dead letters it caused. */
  readonly run: (stage: Stage) => Promise<number | void>;
}

/** Kills a process of the platform by SIGKILL, and waits for its successor. */
export function kill(name: string): Fault {
  return {
    name: `kill ${name}`,
    run: async ({ platform }) => {
      const pid = platform.pids()[name];
      if (pid === undefined || !isRunning(pid)) return;
      process.kill(pid, "SIGKILL");
      await untilReplaced(platform, name, pid);
    },
  };
}

async function untilReplaced(platform: StartedPlatform, name: string, pid: number): Promise<void> {
  await eventually(() => platform.pids()[name], {
    until: (successor) => successor !== undefined && successor !== pid && isRunning(successor),
    limitMs: UP_LIMIT_MS,
  });
}

/** One of three brokers dies, and comes back before another may. */
const broker: Fault = {
  name: "broker",
  run: async ({ cluster, count }) => {
    const victim = cluster!.brokers[count % cluster!.brokers.length]!;
    await victim.kill();
    await delay(5_000);
    await victim.start();
    await cluster!.inSync();
  },
};

/** DynamoDB answers nothing for a minute. */
const dynamodb: Fault = {
  name: "dynamodb",
  run: async ({ platform }) => {
    const pid = platform.pids()["dynamodb"]!;
    process.kill(pid, "SIGSTOP");
    await delay(AWAY_MS);
    process.kill(pid, "SIGCONT");
  },
};

/** Bytes that no device should send, straight into the input. */
const poison: Fault = {
  name: "poison",
  run: async ({ brokers, count }) => {
    const key = `poison-${count}`;
    const values = [
      Buffer.from("{"),
      Buffer.alloc(900_000, "["),
      Buffer.from(`{"seq":0,"t":${"9".repeat(1_000)},"samples":[]}`),
      Buffer.from([0xff, 0xfe, 0x00]),
      null,
    ];
    const kafka = createKafka({ kafkaBrokers: brokers, kafkaAuth: "none", region: "local" }, "poison");
    const producer = kafka.producer();
    await producer.connect();
    for (const value of values)
      await producer.send({ topic: topics.imuData.name, messages: [{ key, value, headers: { "content-type": "x" } }] });
    await producer.disconnect();
    return values.length;
  },
};

const CODECS = ["gzip", "snappy", "lz4", "zstd"] as const;

/** Kafka's own producer, which nobody here wrote, appends readings that it compresses. */
const foreign: Fault = {
  name: "foreign",
  run: async ({ brokers, count }) => {
    const codec = CODECS[count % CODECS.length]!;
    const { java, classpath } = await installServers({
      folder: SERVERS_FOLDER,
      javaHome: process.env["JAVA_HOME"],
      onProgress: () => undefined,
    });
    const options = ["--bootstrap-server", brokers, "--topic", topics.imuData.name, "--compression-codec", codec];
    const keys = ["--property", "parse.key=true", "--property", "key.separator=|"];
    const child = spawn(java, ["-Xmx128m", "-cp", classpath, "kafka.tools.ConsoleProducer", ...options, ...keys], {
      stdio: ["pipe", "ignore", "ignore"],
    });
    const now = Date.now();
    const line = (i: number): string => {
      const samples = Array.from({ length: 10 }, () => [0, 0, 9.81, 0, 0, 0]);
      return `foreign-${codec}|${JSON.stringify({ seq: i, boot: `b${count}`, t: now + i * 100, hz: 100, samples })}\n`;
    };
    child.stdin.end(Array.from({ length: 50 }, (_, i) => line(i)).join(""));
    const [code] = (await once(child, "exit")) as [number];
    if (code !== 0) throw new Error(`Kafka's console producer ended with exit code ${code}`);
  },
};

/** Another lateness comes into force, in each partition at a record. */
const settings: Fault = {
  name: "settings",
  run: async ({ brokers, count }) => {
    const lateness = count % 2 === 0 ? 240_000 : 300_000;
    const command = [join(ROOT, "processor/commands/settings/main.ts"), "set", "--lateness", String(lateness)];
    await promisify(execFile)(process.execPath, ["--disable-warning=ExperimentalWarning", ...command], {
      env: { ...process.env, KAFKA_BROKERS: brokers, PIPELINE: "sensor" },
    });
  },
};

/** A second processor joins; the first one is restarted, then the second one leaves. */
const rolling: Fault = {
  name: "rolling",
  run: async ({ platform, home }) => {
    const pid = platform.pids()["processor"]!;
    const [healthPort] = await pickFreePorts(1);
    const log = openSync(join(home, "logs", "processor-2.log"), "a");
    const second = spawn(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", join(ROOT, "processor", "main.ts")],
      { env: { ...environmentOf(pid), HEALTH_PORT: String(healthPort) }, cwd: home, stdio: ["ignore", log, log] },
    );
    const ended = once(second, "exit");
    try {
      await eventually(() => isServing(healthPort!), { until: Boolean, limitMs: UP_LIMIT_MS });
      process.kill(pid, "SIGTERM");
      await untilReplaced(platform, "processor", pid);
      await delay(5_000);
    } finally {
      second.kill("SIGTERM");
      await ended;
      closeSync(log);
    }
  },
};

function environmentOf(pid: number): Record<string, string> {
  const pairs = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").filter(Boolean);
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]));
}

async function isServing(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(1_000) })
    .then(({ status }) => status === 200)
    .catch(() => false);
}

/** The disk of the MQTT broker is full for a while. `mountSmallDisk` has given it one of its own. */
const disk: Fault = {
  name: "disk",
  run: async ({ home }) => {
    const folder = mqttFolder(home);
    const filler = join(folder, "filler");
    const { bavail, bsize } = statfsSync(folder);
    writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - 4_096)));
    await delay(FULL_MS);
    rmSync(filler);
  },
};

const mqttFolder = (home: string): string => join(home, "data", "mqtt");

/**
 * Gives the MQTT broker a small disk in memory.
 *
 * @returns What takes it away again.
 * @throws Error without the right to mount.
 */
export function mountSmallDisk(home: string): () => void {
  const folder = mqttFolder(home);
  mkdirSync(folder, { recursive: true });
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_MEGABYTES}m`, "millrace-chaos", folder], { stdio: "pipe" });
  return () => {
    if (existsSync(folder)) execFileSync("umount", ["-l", folder], { stdio: "pipe" });
  };
}

/** The faults besides kills, by their name on the command line. */
export const namedFaults = { broker, dynamodb, poison, foreign, settings, rolling, disk } as const;
export type FaultName = "kill" | keyof typeof namedFaults;
