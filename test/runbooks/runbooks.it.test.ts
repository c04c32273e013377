import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DynamoDBClient, paginateScan, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { connectAsync, type MqttClient } from "mqtt";
import { checkpointAttributes, dynamoTableName } from "../../domain/names.ts";
import type { AlarmStatus } from "../../local/alarms.ts";
import { pickPlatformPorts, type PlatformPorts } from "../../local/processes/ports.ts";
import { ModelFolder, readManifest, sameModelOtherBytes, SHIPPED } from "../processor/inference/model-folder.ts";
import { eventually } from "../support/eventually.ts";
import { logLines } from "../support/log-lines.ts";
import { StartedPlatform } from "../support/platform.ts";
import { commandsOf, run } from "./runbook.ts";

jest.setTimeout(300_000);
const UP_LIMIT_MS = 240_000;
const LIMIT_MS = 150_000;

/** Minutes become seconds, and thresholds are within reach of four sensors. */
const profile = {
  periodFactor: 0.1,
  alarms: {
    "brokers-gone": { threshold: 4_000, periodMs: 2_000 },
    "dead-letter-flood": { threshold: 50, periodMs: 6_000 },
    // While nothing is wrong 700 to 950 records wait for the functions' batching windows of up to ten seconds.
    "slow-consumer": { threshold: 3_000, periodMs: 2_000, periods: 2 },
    // A single event is enough for these, and they clear when their period has passed.
    ...Object.fromEntries(
      ["clock-wrong", "lake-delivery-failed", "model-refused", "program-restarted", "undecodable-records"].map(
        (name) => [name, { periodMs: 10_000 }],
      ),
    ),
    // What a busy machine does to them is no fault that is injected here.
    "latency-sensor": { threshold: 60_000 },
    "completeness-sensor": { threshold: 0 },
    "program-down": { periodMs: 30_000 },
    // A processor is held for as long as a command takes.
    "no-input-sensor": { periodMs: 30_000 },
  },
};

let folder: string;
let home: string;
let ports: PlatformPorts;
let platform: StartedPlatform;
let device: MqttClient;
let env: Record<string, string>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace-runbooks-"));
  home = join(folder, "home");
  ports = await pickPlatformPorts();
  writeFileSync(join(folder, "alarms.json"), JSON.stringify(profile));
  const args = ["--sensors", "4", "--rate", "50", "--alarms", join(folder, "alarms.json")];
  platform = new StartedPlatform(home, ports, args);
  await platform.untilUp(UP_LIMIT_MS);
  device = await connectAsync(`mqtt://127.0.0.1:${ports.mqtt}`, { protocolVersion: 5 });
  env = {
    MILLRACE_HOME: home,
    API_PORT: String(ports.api),
    KAFKA_BROKERS: `127.0.0.1:${ports.kafka}`,
    DYNAMODB_ENDPOINT: `http://127.0.0.1:${ports.dynamodb}`,
    MODEL_SOURCE: join(home, "models"),
  };
  await untilQuiet();
});
afterAll(async () => {
  await device?.endAsync(true);
  platform?.interrupt();
  await platform?.exited;
  rmSync(folder, { recursive: true, force: true });
});

async function alarms(): Promise<AlarmStatus[]> {
  const response = await fetch(`http://127.0.0.1:${ports.status}/alarms`);
  return (await response.json()) as AlarmStatus[];
}

/** Alarms that are on, and that nothing explains. */
async function raised(): Promise<{ name: string; pages: boolean }[]> {
  return (await alarms())
    .filter(({ state, suppressedBy }) => state === "ALARM" && suppressedBy === null)
    .map(({ spec: { name, severity } }) => ({ name, pages: severity === "CRITICAL" || severity === "HIGH" }));
}

const untilQuiet = (): Promise<unknown> => eventually(raised, { until: (on) => on.length === 0, limitMs: LIMIT_MS });

/**
 * Injects a fault, waits for its alarm, runs what its runbook says, and waits until no alarm is on. No alarm but this
 * one may page anybody.
 *
 * @param alsoRaised Alarms without a page that the fault raises, too
 * @param decide What the page leaves to a decision, with what its commands printed
 */
async function exercise(
  alarm: string,
  runbook: string,
  inject: () => Promise<unknown>,
  { alsoRaised = [], decide }: { alsoRaised?: readonly string[]; decide?: (printed: string) => Promise<unknown> } = {},
): Promise<void> {
  await untilQuiet();
  const others = new Set<string>();
  const look = async (): Promise<string[]> => {
    const on = await raised();
    for (const { name } of on) if (name !== alarm && !alsoRaised.includes(name)) others.add(name);
    return on.map(({ name }) => name);
  };
  await inject();
  await eventually(look, { until: (on) => on.includes(alarm), limitMs: LIMIT_MS });
  let printed = "";
  for (const commands of commandsOf(runbook)) printed += await run(commands, env);
  await decide?.(printed);
  await eventually(look, { until: (on) => on.length === 0, limitMs: LIMIT_MS });
  expect([...others]).toEqual([]);
}

async function publish(payload: string, times = 1): Promise<void> {
  for (let n = 0; n < times; n++) await device.publishAsync("imu/faulty", payload, { qos: 1 });
}

test("kill -9 of a program", () =>
  exercise("program-restarted", "program-restarted", async () => process.kill(platform.pids()["live"]!, "SIGKILL")));

test("a broker that hangs", () =>
  exercise("brokers-gone", "brokers-gone", async () => process.kill(platform.pids()["kafka"]!, "SIGSTOP"), {
    // The runbook ends the broker, so that another one is started.
    alsoRaised: ["program-restarted"],
  }));

test("a record that follows no contract", () =>
  exercise("undecodable-records", "undecodable-records", () => publish("{")));

test("a clock in the future", () =>
  exercise("clock-wrong", "clock-wrong", () =>
    publish(JSON.stringify({ seq: 0, boot: "b", t: [Date.now() + 3_600_000], samples: [[0, 0, 9.81, 0, 0, 0]] })),
  ));

test("a flood of dead letters", () =>
  exercise("dead-letter-flood", "dead-letter-flood", () => publish("{", 80), {
    alsoRaised: ["undecodable-records"],
  }));

test("a slow consumer", () =>
  exercise("slow-consumer", "slow-consumer", async () => process.kill(platform.pids()["firehose"]!, "SIGSTOP"), {
    // What the function writes to does not answer, as its log says.
    decide: async () => process.kill(platform.pids()["firehose"]!, "SIGCONT"),
    alsoRaised: ["program-restarted"],
  }));

test("a bucket that takes nothing", () => {
  const lake = join(home, "data", "lake");
  return exercise(
    "lake-delivery-failed",
    "lake-delivery-failed",
    async () => {
      renameSync(lake, `${lake}.away`);
      writeFileSync(lake, "");
    },
    {
      decide: async () => {
        rmSync(lake);
        renameSync(`${lake}.away`, lake);
      },
    },
  );
});

test("a model whose files are gone when its promotion is read", async () => {
  const models = new ModelFolder();
  const { name, version } = models.add("next", sameModelOtherBytes);
  await run(`npm run --silent model -- import "${join(models.path, name, version)}"`, env);
  models.remove();
  await exercise(
    "model-refused",
    "model-refused",
    async () => {
      const processor = platform.pids()["processor"]!;
      // Held, so that it reads the promotion when the files are gone.
      process.kill(processor, "SIGSTOP");
      try {
        await run(`npm run --silent model -- promote "${name}" "${version}"`, env);
        rmSync(join(env["MODEL_SOURCE"]!, name, version), { recursive: true });
      } finally {
        process.kill(processor, "SIGCONT");
      }
      await eventually(processorHealth, { until: ({ models: problem }) => problem !== undefined, limitMs: LIMIT_MS });
    },
    {
      decide: async (printed) => {
        expect(printed).toContain("model-refused");
        expect(await run("npm run --silent model -- list", env)).toContain(
          `${name} ${readManifest(SHIPPED).version} live`,
        );
        // Every partition has taken the rollback.
        await eventually(processorHealth, { until: ({ models: problem }) => problem === undefined, limitMs: LIMIT_MS });
      },
    },
  );
});

test("a snapshot that is corrupt", () =>
  exercise(
    "partition-stopped-sensor",
    "partition-stopped",
    async () => {
      await corruptSnapshots();
      process.kill(platform.pids()["processor"]!, "SIGKILL");
    },
    {
      alsoRaised: ["program-restarted"],
      decide: async (printed) => {
        const choices = [...printed.matchAll(/--task (\S+) --choice (\S+):/g)];
        const tasks = new Map(choices.map(([, task, choice]) => [task!, choice!]).toReversed() as [string, string][]);
        expect(tasks.size).toBeGreaterThan(0);
        for (const [task, choice] of tasks)
          await run(`npm run --silent recover -- --task "${task}" --choice "${choice}"`, env);
      },
    },
  ));

test("and all that, every program has written in the one format of logs", () => {
  for (const program of ["bridge", "event-source", "features", "firehose", "gateway", "live", "processor"])
    expect(logLines(readFileSync(join(home, "logs", `${program}.log`), "utf8")).length).toBeGreaterThan(0);
});

/** What the processor's health says of its parts. */
async function processorHealth(): Promise<Readonly<Record<string, unknown>>> {
  const { healthPorts } = JSON.parse(readFileSync(join(home, "run.json"), "utf8")) as {
    healthPorts: Readonly<Record<string, number>>;
  };
  const response = await fetch(`http://127.0.0.1:${healthPorts["processor"]}/health`);
  return ((await response.json()) as { components: Readonly<Record<string, unknown>> }).components;
}

/** Flips the bytes of every segment of every task. */
async function corruptSnapshots(): Promise<void> {
  const client = new DynamoDBClient({
    region: "us-east-1",
    endpoint: env["DYNAMODB_ENDPOINT"]!,
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
  });
  const table = dynamoTableName("local", "checkpoints");
  for await (const { Items = [] } of paginateScan({ client }, { TableName: table }))
    for (const item of Items) {
      const key = item[checkpointAttributes.key]!;
      if (!key.S!.startsWith("segment/")) continue;
      await client.send(
        new UpdateItemCommand({
          TableName: table,
          Key: { [checkpointAttributes.key]: key },
          UpdateExpression: "SET #bytes = :bytes",
          ExpressionAttributeNames: { "#bytes": "bytes" },
          ExpressionAttributeValues: { ":bytes": { B: new Uint8Array([1, 2, 3]) } },
        }),
      );
    }
  client.destroy();
}
