import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { dynamoDbClient } from "../../../../adapters/dynamodb.ts";
import { keyPartitioner } from "../../../../adapters/key-partitioner.ts";
import { readSettings } from "../../../../config/settings.ts";
import { pipelines } from "../../../../domain/pipelines.ts";
import { tables } from "../../../../domain/tables.ts";
import { topics } from "../../../../domain/topics.ts";
import { recordsOf } from "../../../../lambda/shared/kafka-event.ts";
import { reachAt } from "../../../../lambda/write-lake/partition.ts";
import { lakeTables } from "../../../../lambda/write-lake/rows.ts";
import { ParquetWriter } from "../../../../local/firehose/parquet.ts";
import { startServers, type Servers } from "../../../../local/servers/index.ts";
import { createCheckpointTable } from "../../../../processor/adapters/dynamo-snapshots.ts";
import { restore, type Restored } from "../../../../processor/commands/restore/restore.ts";
import { restoreTarget } from "../../../../processor/commands/restore/target.ts";
import { readTopic, startProgram, testKafka } from "../../../bridge/harness.ts";
import { mskEvent } from "../../../lambda/events.ts";
import { eventually } from "../../../support/eventually.ts";

const START = 1_700_000_000_000;
const TOPIC = topics.imuData.name;
const PARTITIONS = 2;
const partitionOf = keyPartitioner(TOPIC, PARTITIONS);

let folder: string;
let servers: Servers;
let env: Record<string, string>;

// Servers of its own: the names of topics and groups are the platform's.
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace-restore-"));
  servers = await startServers({ which: ["kafka", "dynamodb"], dataDir: join(folder, "data") });
  env = { KAFKA_BROKERS: servers.kafkaBrokers, DYNAMODB_ENDPOINT: servers.dynamodbEndpoint, LOG_GENERATION: "2" };
  const admin = testKafka(servers.kafkaBrokers).admin();
  await admin.connect();
  const needed = [...pipelines.sensor.outputs, "imuData", "deadLetter", "progress", "changes"] as const;
  await admin.createTopics({
    waitForLeaders: true,
    topics: needed.map((key) => ({ topic: topics[key].name, numPartitions: PARTITIONS, replicationFactor: 1 })),
  });
  await admin.disconnect();
  const dynamodb = dynamoDbClient("us-east-1", servers.dynamodbEndpoint);
  await createCheckpointTable(dynamodb, readSettings("processor", env).checkpointTable);
  dynamodb.destroy();
}, 300_000);
afterAll(async () => {
  await servers?.stop();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

interface Source {
  readonly partition: number;
  readonly key: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A lake whose raw table has these records. A message has one reading, two seconds behind the one before. */
async function lakeOf(name: string, sources: readonly Source[]): Promise<string> {
  const dir = join(folder, name);
  const place = join(dir, "raw", "dt=2023-11-14", "hour=22");
  mkdirSync(place, { recursive: true });
  const rows = sources.flatMap(({ partition, key, headers = {} }, offset) => {
    const t = START + offset * 2_000;
    const value = JSON.stringify({ seq: offset, boot: "b", t: [t], samples: [[0, 0, 9.8, 0, 0, 0]] });
    const at = { topic: TOPIC, partition, offset, timestamp: t };
    const event = mskEvent([key === null ? at : { ...at, key, value: Buffer.from(value) }]);
    event.records[`${TOPIC}-${partition}`]![0]!.headers = Object.entries(headers).map(([header, text]) => ({
      [header]: [...Buffer.from(text)],
    })) as never;
    return lakeTables[TOPIC]!.toRows(recordsOf(event)[0]!, reachAt(START, 0), { sensor: 1, market: 1 });
  });
  const writer = await ParquetWriter.create();
  await writer.write(
    tables.raw,
    rows.map((row) => JSON.stringify(row)),
    join(dir, "scratch"),
    join(place, "0.parquet"),
  );
  writer.close();
  return dir;
}

const messages = (...keys: string[]): Source[] => keys.map((key) => ({ key, partition: partitionOf(key) }));

function run(dir: string, generation = 2, outputsFrom = -Infinity): Promise<Restored> {
  const settings = readSettings("processor", { ...env, LOG_GENERATION: String(generation) });
  return restore(restoreTarget(settings, { dir, outputsFrom, report: () => undefined }));
}

const windowIds = async (): Promise<string[]> =>
  (await readTopic(servers.kafkaBrokers, topics.aggregated.name))
    .map(({ value }) => (JSON.parse(value!.toString()) as { id: string }).id)
    .sort();

test("what can't be restored exactly is refused, and says what to do", async () => {
  const good = await lakeOf("good", messages("a"));
  await expect(run(good, 1)).rejects.toThrow(/LOG_GENERATION is 1\. .* one higher than the lost one's/);
  const wide = await lakeOf("wide", [{ key: "a", partition: 2 }]);
  await expect(run(wide)).rejects.toThrow("the lake has partition 2, and the new topics have 2 partitions");
  const moved = await lakeOf("moved", [{ key: "a", partition: 1 - partitionOf("a") }]);
  await expect(run(moved)).rejects.toThrow(
    /"a" has its state in partition \d of imu-data-all, and its records would go/,
  );
  const change = { type: "settings", change: "rescale-1-2", settings: "{}" };
  const rescaled = await lakeOf("rescaled", [{ key: null, partition: 0, headers: change }]);
  await expect(run(rescaled)).rejects.toThrow("the lake's log was rescaled at partition 0, offset 0");
  expect(await windowIds()).toEqual([]);
}, 120_000);

test("outputs come back with their ids, again where it is run again, until a processor has begun", async () => {
  // The third reading of a sensor closes the windows of its first two.
  const lake = await lakeOf("lake", messages("a", "b", "a", "b", "a", "b"));
  const expected = [`imu-data-all/${partitionOf("a")}/2/0`, `imu-data-all/${partitionOf("a")}/4/0`];
  expected.push(`imu-data-all/${partitionOf("b")}/3/0`, `imu-data-all/${partitionOf("b")}/5/0`);
  expect(await run(lake)).toMatchObject({ log: "imu-data-all~2", before: "imu-data-all", records: 6, keys: 2 });
  expect(await windowIds()).toEqual(expected.toSorted());
  // Nobody wants outputs of that time any more; the state comes all the same.
  expect(await run(lake, 2, START + 60_000)).toMatchObject({ outputs: 0, keys: 2 });
  expect(await windowIds()).toEqual(expected.toSorted());
  await run(lake);
  expect(await windowIds()).toEqual([...expected, ...expected].sort());

  const program = startProgram("processor/main.ts", [], env, join(folder, "processor.log"));
  try {
    await eventually(() => run(lake).then(String, String), {
      until: (said) => said.includes("the group millrace-processor-sensor has 1 members"),
      limitMs: 60_000,
    });
    // It has taken the tick that names the lost log.
    const admin = testKafka(servers.kafkaBrokers).admin();
    await admin.connect();
    await eventually(() => admin.fetchOffsets({ groupId: pipelines.sensor.consumerGroup, topics: [TOPIC] }), {
      until: ([group]) => group!.partitions.every(({ offset }) => Number(offset) > 0),
      limitMs: 60_000,
    });
    await admin.disconnect();
  } finally {
    await program.end("SIGTERM");
  }
  await expect(run(lake)).rejects.toThrow(/has processed the log from 0 to \d+ already: create the topic anew/);
}, 240_000);
