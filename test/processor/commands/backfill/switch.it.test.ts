import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { MongoClient, type Db } from "mongodb";
import { eraseSensor } from "../../../../lambda/shared/erase-sensor.ts";
import { startServers, type Servers } from "../../../../local/servers/index.ts";
import { mskEvent, restEvent, type RecordSpec } from "../../../lambda/events.ts";
import { startFunction, type FunctionProcess } from "../../../lambda/function-process.ts";
import { ended, windowed } from "../../../lambda/records.ts";
import { eventually } from "../../../support/eventually.ts";
import { append, createTopics } from "../../../support/kafka-topics.ts";
import { commandWith, outputsOf, rowsOf, smallLog, writeRows, type Ended } from "./small-lake.ts";

const WINDOWS = "sensor-data-aggregated";
const SESSIONS = "new-session-topic";
const INFERENCES = "sensor-inference";
/** An hour ago, where windows of one and of two seconds begin. */
const START = Math.floor((Date.now() - 3_600_000) / 2_000) * 2_000;

let folder: string;
let servers: Servers;
let client: MongoClient;
let db: Db;
let env: Record<string, string>;
let lake: string;
const functions: Record<string, FunctionProcess> = {};

// Servers of its own: the names of the topics are the platform's.
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace-switch-"));
  servers = await startServers({ which: ["kafka", "mongodb"], dataDir: join(folder, "data") });
  env = { KAFKA_BROKERS: servers.kafkaBrokers, MONGODB_URI: servers.mongodbUri, MONGODB_DATABASE: "switch" };
  client = await MongoClient.connect(servers.mongodbUri);
  db = client.db("switch");
  await createTopics(servers.kafkaBrokers, [WINDOWS, SESSIONS, INFERENCES]);
  for (const name of ["store-sessions", "store-windows", "read-sessions", "read-sensors"])
    functions[name] = startFunction(name, env);
  const log = smallLog(START);
  const outputs = outputsOf(log, folder);
  lake = await writeRows(join(folder, "lake"), [...rowsOf(log, START), ...rowsOf(outputs, START)]);
  // What the live processor gave: windows of one second, and a session that has begun.
  await live(outputs.filter(({ topic }) => topic === WINDOWS || topic === SESSIONS));
}, 300_000);
afterAll(async () => {
  await Promise.all(Object.values(functions).map((fn) => fn.stop()));
  await client?.close();
  await servers?.stop();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

/** Appends live outputs to Kafka and lets the functions take them. */
async function live(outputs: readonly Omit<RecordSpec, "offset">[]): Promise<void> {
  for (const [topic, some] of Map.groupBy(outputs, (output) => output.topic)) {
    await append(
      servers.kafkaBrokers,
      topic,
      some.map(({ value }) => ({ key: "s", value: JSON.stringify(value) })),
    );
    const fn = functions[topic === WINDOWS ? "store-windows" : "store-sessions"]!;
    const event = mskEvent(some.map((output, offset) => ({ ...output, offset, timestamp: Date.now() })));
    expect(await fn.invoke(event)).toEqual({ batchItemFailures: [] });
  }
}

const backfill = (...args: string[]): Promise<Ended> =>
  commandWith("backfill", [...args, ...(args[0] === "switch" ? [] : ["--out", "runs"])], folder, env);

async function get(name: string, resource: string): Promise<Record<string, unknown>[]> {
  const event = restEvent(resource, { pathParameters: { sensorId: "s" } });
  const { statusCode, body } = await functions[name]!.invoke<{ statusCode: number; body: string }>(event);
  expect(statusCode).toBe(200);
  return (JSON.parse(body) as { items: Record<string, unknown>[] }).items;
}

/** Operator, seconds from the start, and readings of the windows that the API has, newest first. */
const windows = async (): Promise<unknown[]> =>
  (await get("read-sensors", "/sensors/{sensorId}/windows")).map(({ operator, window, count }) => [
    operator,
    ((window as { start: number }).start - START) / 1_000,
    count,
  ]);
const sessions = async (): Promise<unknown[]> =>
  (await get("read-sessions", "/sessions")).map(({ sessionId, status, samples }) => [sessionId, status, samples]);

// A window is out when a reading is 500 ms behind its end: three of one second, and one of two.
const OF_LIVE = [2, 1, 0].map((second) => ["tumbling-1000", second, 10]);
const OF_RUN = [["tumbling-2000", 0, 20]];
/** Live windows of ten readings of the log's records 45 and 50, at 10 and 20 seconds. */
const later = (offset: number, second: number): Omit<RecordSpec, "offset"> => ({
  topic: WINDOWS,
  value: windowed("s", START + second * 1_000, { offset, count: 10 }),
});

test("readers see a run that is filled and compared, with what comes live later, and go back", async () => {
  expect(await windows()).toEqual(OF_LIVE);
  expect(await backfill("switch", "--run", "long")).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("backfill-refused: the store has no collections of long"),
  });

  // Before the run has collections, but behind what its lake has.
  await live([later(45, 10), { topic: SESSIONS, value: ended("s", START, START + 3_900, 40, { offset: 44 }) }]);
  const filled = await backfill("--from-lake", lake, "--run", "long", "--window", "2000", "--fill");
  expect(filled).toMatchObject({ status: 3, stderr: expect.stringContaining("2 live outputs behind the run's") });
  expect(await windows()).toEqual([["tumbling-1000", 10, 10], ...OF_LIVE]);

  expect((await backfill("switch", "--run", "long")).stderr).toContain('"changed":1,"missing":2,"added":0');
  await live([later(50, 20)]);
  const switched = [["tumbling-1000", 20, 10], ["tumbling-1000", 10, 10], ...OF_RUN];
  await eventually(windows, { until: (seen) => JSON.stringify(seen) === JSON.stringify(switched) });
  expect(await sessions()).toEqual([[`s@${START}`, "ended", 40]]);
  expect(await backfill("drop", "--run", "long")).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("readers see long: give `backfill -- switch --run live` first"),
  });
  const again = ["--from-lake", lake, "--run", "long", "--window", "2000", "--fill", "--again"];
  expect((await backfill(...again)).stderr).toContain("readers see long");
  expect((await backfill("list")).stdout).toMatch(/^{"run":"long","isRead":true,"folder":{"complete":true,/);

  expect((await backfill("switch", "--run", "live")).status).toBe(0);
  const before = [["tumbling-1000", 20, 10], ["tumbling-1000", 10, 10], ...OF_LIVE];
  await eventually(windows, { until: (seen) => JSON.stringify(seen) === JSON.stringify(before) });
  // The same run once more gives the same documents: those of what came live meanwhile are taken from Kafka.
  const documents = await db.collection("windows~long").find().project({ windows: 1 }).sort({ _id: 1 }).toArray();
  expect((await backfill(...again)).status).toBe(3);
  expect(await db.collection("windows~long").find().project({ windows: 1 }).sort({ _id: 1 }).toArray()).toEqual(
    documents,
  );
}, 300_000);

test("a run that was interrupted is not switched to, and an erased sensor leaves its collections, too", async () => {
  await db.collection("runs").updateOne({ _id: "runs" as never }, { $unset: { "runs.long.compared": "" } });
  expect(await backfill("switch", "--run", "long")).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/long is not filled and compared.*--fill --again/s),
  });
  // The three documents of windows: of the minutes that the run's and the two live ones begin in, or fewer.
  const count = await db.collection("windows~long").countDocuments();
  expect(await eraseSensor(db, "s")).toMatchObject({
    "windows~long": count,
    "sessions~long": 1,
    "session-times~long": 1,
    "sensors~long": 1,
  });
  expect(await db.collection("sensors~long").countDocuments()).toBe(0);
}, 60_000);

test("what is dropped is gone, from the store and from the disk, and dropping it again is no error", async () => {
  expect((await backfill("drop", "--run", "long")).status).toBe(0);
  const names = (await db.listCollections().toArray()).map(({ name }) => name);
  expect(names.filter((name) => name.includes("~"))).toEqual([]);
  expect(existsSync(join(folder, "runs", "long"))).toBe(false);
  expect((await backfill("list")).stdout).toBe("");
  expect((await backfill("drop", "--run", "long")).status).toBe(0);
}, 60_000);
