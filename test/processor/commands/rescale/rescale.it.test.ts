import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Partitioners, type Admin } from "kafkajs";
import { applySettings } from "../../../../adapters/apply-settings.ts";
import { createTopics } from "../../../../adapters/kafka-topics.ts";
import { createLogger } from "../../../../adapters/log.ts";
import { readSettings } from "../../../../config/settings.ts";
import { MillraceError } from "../../../../domain/errors.ts";
import { pipelines } from "../../../../domain/pipelines.ts";
import { defaultSemantics, type Semantics } from "../../../../domain/semantics.ts";
import { topics } from "../../../../domain/topics.ts";
import { startServers, type Servers } from "../../../../local/servers/index.ts";
import { DynamoSnapshots } from "../../../../processor/adapters/dynamo-snapshots.ts";
import { sensorMachineFactory } from "../../../../processor/adapters/machine-factory.ts";
import { rescale as rescaleTasks } from "../../../../processor/commands/rescale/rescale.ts";
import { readTopic, startProgram, testKafka, type Program } from "../../../bridge/harness.ts";
import type { LogRecord } from "../../../reference/log.ts";
import { referenceRun } from "../../../reference/reference.ts";
import { eventually } from "../../../support/eventually.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..", "..");
const HOUR = 3_600_000;
/** Nobody goes idle in the time that this takes, so that only event time counts. */
const semantics: Semantics = {
  ...defaultSemantics,
  idleTimeoutMs: HOUR,
  sessionGapMs: 3_000,
  transformedFormat: "json",
};
const KEYS = Array.from({ length: 12 }, (_, i) => `sensor-${i}`);

let dataDir: string;
let servers: Servers;
let env: Record<string, string>;

// Servers of its own: the names of topics and groups are the platform's.
beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "millrace-rescale-"));
  servers = await startServers({ which: ["kafka", "dynamodb"], dataDir });
  env = {
    KAFKA_BROKERS: servers.kafkaBrokers,
    DYNAMODB_ENDPOINT: servers.dynamodbEndpoint,
    IDLE_TIMEOUT_MS: String(HOUR),
    SESSION_GAP_MS: "3000",
    TRANSFORMED_FORMAT: "json",
    SNAPSHOT_INTERVAL_MS: "1000",
  };
  const admin = testKafka(servers.kafkaBrokers).admin();
  await admin.connect();
  const needed = [
    topics.imuData,
    topics.transformed,
    topics.aggregated,
    topics.late,
    topics.sessions,
    topics.inference,
    topics.deadLetter,
    topics.progress,
    topics.changes,
  ];
  await createTopics(admin, { specs: needed, partitions: 2 });
  await admin.disconnect();
  await applySettings(testKafka(servers.kafkaBrokers), topics.imuData.name, semantics, { checkTasks: false });
}, 300_000);
afterAll(async () => {
  await servers?.stop();
  rmSync(dataDir, { recursive: true, force: true });
}, 60_000);

interface Sent {
  readonly key: string;
  readonly value: string;
}

function message(key: string, seq: number, t: number, rows = 5): Sent {
  return {
    key,
    value: JSON.stringify({
      seq,
      boot: "b",
      t,
      hz: 10,
      samples: Array.from({ length: rows }, (_, i) => [i, seq, 9, 0, 1, -i]),
    }),
  };
}

async function append(messages: readonly Sent[]): Promise<void> {
  const producer = testKafka(servers.kafkaBrokers).producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  await producer.send({
    topic: topics.imuData.name,
    messages: messages.map((each) => ({ ...each, headers: { "content-type": "application/json" } })),
  });
  await producer.disconnect();
}

/** Partitions of the input with records that the processor's group has not committed. */
async function uncommitted(admin: Admin): Promise<number[]> {
  const ends = await admin.fetchTopicOffsets(topics.imuData.name);
  const [group] = await admin.fetchOffsets({
    groupId: pipelines.sensor.consumerGroup,
    topics: [topics.imuData.name],
  });
  const committed = new Map(group!.partitions.map(({ partition, offset }) => [partition, offset]));
  return ends
    .filter(({ partition, high }) => high !== "0" && committed.get(partition) !== high)
    .map(({ partition }) => partition);
}

/** Runs a processor until it has committed everything that is in the log. */
async function runProcessor(): Promise<void> {
  const program: Program = startProgram("processor/main.ts", [], env, join(dataDir, "processor.log"));
  const admin = testKafka(servers.kafkaBrokers).admin();
  await admin.connect();
  try {
    await eventually(() => uncommitted(admin), { until: ({ length }) => length === 0, limitMs: 180_000 }).catch(
      (error: unknown) => {
        throw new Error(`${String(error)}\n${readFileSync(join(dataDir, "processor.log"), "utf8").slice(-4_000)}`);
      },
    );
  } finally {
    await admin.disconnect();
    await program.end("SIGTERM");
  }
}

async function rescale(partitions: number): Promise<string> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      "--disable-warning=ExperimentalWarning",
      join(ROOT, "processor/commands/rescale/main.ts"),
      "--partitions",
      String(partitions),
    ],
    { env: { ...process.env, ...env } },
  );
  return stdout;
}

/** Breaks off before step 6 of docs/rescale.md: the keys that have left are still in their old tasks, too. */
async function dieAfterTheInputHasItsPartitions(count: number): Promise<void> {
  const client = new DynamoDBClient({
    region: "local",
    endpoint: servers.dynamodbEndpoint,
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
  });
  const snapshots = new DynamoSnapshots(client, readSettings("processor", env).checkpointTable);
  const writeManifest = snapshots.writeManifest.bind(snapshots);
  let widened = false;
  snapshots.writeManifest = (...args) =>
    widened ? Promise.reject(new MillraceError("outcome-unknown", "died")) : writeManifest(...args);
  await rescaleTasks(
    {
      kafka: testKafka(servers.kafkaBrokers),
      snapshots,
      environment: "local",
      groupId: pipelines.sensor.consumerGroup,
      factory: sensorMachineFactory(semantics),
      outputTopics: [...pipelines.sensor.outputs, "deadLetter" as const].map((key) => topics[key].name),
      logger: createLogger("rescale", "error"),
      report: (sentence) => (widened ||= sentence === `${topics.imuData.name} has ${count} partitions`),
    },
    count,
  );
}

/** The fields that identify an output and count its readings, as sorted lines. Other tests compare the statistics. */
function comparable(outputs: readonly { topic: string; value: unknown }[]): string[] {
  return outputs
    .map(({ topic, value }) => {
      const {
        sensorId,
        operator,
        window,
        revision,
        cause,
        count,
        type,
        sessionId,
        start,
        end,
        samples,
        supersedes,
        seq,
        t,
      } = value as Record<string, unknown>;
      return JSON.stringify({
        topic,
        sensorId,
        operator,
        window,
        revision,
        cause,
        count,
        type,
        sessionId,
        start,
        end,
        ...(topic === topics.transformed.name ? {} : { samples, supersedes, seq, t }),
      });
    })
    .sort();
}

async function committed(): Promise<string[]> {
  const all = await Promise.all(
    [topics.aggregated, topics.sessions, topics.late, topics.deadLetter, topics.transformed].map(async ({ name }) =>
      (await readTopic(servers.kafkaBrokers, name)).map(({ value }) => ({
        topic: name,
        value: JSON.parse(value!.toString("utf8")) as unknown,
      })),
    ),
  );
  return comparable(all.flat());
}

test("two partitions become five, with a death on the way: nothing is lost, nothing comes twice", async () => {
  const begin = Math.floor(Date.now() / 1_000) * 1_000 - 60_000;
  const first = Array.from({ length: 20 }, (_, n) =>
    KEYS.map((key, i) => message(key, n, begin + n * 500 + i * 7)),
  ).flat();
  const late = KEYS.map((key, i) => message(key, 20, begin + 1_250 + i * 7));
  const gone = [message(KEYS[3]!, 21, begin - 400_000)];
  const second = Array.from({ length: 20 }, (_, n) =>
    KEYS.map((key, i) => message(key, n + 22, begin + (n + 20) * 500 + i * 7)),
  ).flat();
  const copies = first.filter((_, i) => i % 7 === 0);

  await append(first);
  await runProcessor();
  await append(first.slice(0, 1));
  await expect(rescale(5)).rejects.toThrow(
    /rescale-refused: sensor\/imu-data-all\/\d: records from offset \d+ on \(the log ends at \d+\) are not processed/,
  );
  await runProcessor();
  await expect(dieAfterTheInputHasItsPartitions(5)).rejects.toThrow("died");
  expect(await rescale(5)).toContain("5 partitions before, 5 now; state of 12 sensors is in place");
  // Again: nothing is left to do, and nothing changes.
  expect(await rescale(5)).toContain("5 partitions before, 5 now; state of 12 sensors is in place");
  await append([...copies, ...late, ...gone, ...second]);
  await runProcessor();

  const log: LogRecord[] = [...first, first[0]!, ...copies, ...late, ...gone, ...second].map(
    ({ key, value }, offset) => ({
      partition: 0,
      offset,
      timestamp: begin + 60_000,
      key,
      value: Buffer.from(value),
      headers: { "content-type": "application/json" },
    }),
  );
  const reference = referenceRun(log, semantics, false);
  expect(reference.duplicates).toBe(copies.length + 1);
  const expected = comparable(reference.outputs);
  expect(expected.filter((line) => line.includes('"cause":"late"')).length).toBeGreaterThan(10);
  expect(expected.filter((line) => line.includes(topics.late.name)).length).toBeGreaterThan(0);
  expect(await committed()).toEqual(expected);
  const partitions = new Set(
    (await readTopic(servers.kafkaBrokers, topics.aggregated.name)).map(({ partition }) => partition),
  );
  expect(Math.max(...partitions)).toBe(4);
}, 600_000);
