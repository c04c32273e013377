import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { MongoClient } from "mongodb";
import { sharedServers, uniqueName } from "../support/servers.ts";
import { mskEvent, restEvent } from "./events.ts";
import { startFunction, type FunctionProcess } from "./function-process.ts";
import { ended, inferred, started, windowed } from "./records.ts";

type Item = Record<string, unknown>;

const database = uniqueName("paging");
const env = { MONGODB_URI: sharedServers().mongodbUri, MONGODB_DATABASE: database };
const fns = new Map<string, FunctionProcess>();
let offset = 0;

beforeAll(() => {
  for (const name of ["store-sessions", "store-windows", "store-dead-letters", "read-sessions", "read-sensors"])
    fns.set(name, startFunction(name, env));
  fns.set("read-dead-letters", startFunction("read-dead-letters", env));
});
afterAll(async () => {
  await Promise.all([...fns.values()].map((fn) => fn.stop()));
  const client = await MongoClient.connect(env.MONGODB_URI);
  await client.db(database).dropDatabase();
  await client.close();
});

async function deliver(name: string, topic: string, values: readonly Item[], timestamp = Date.now()): Promise<void> {
  const records = values.map((value) => ({ topic, offset: offset++, timestamp, value }));
  expect(await fns.get(name)!.invoke(mskEvent(records))).toEqual({ batchItemFailures: [] });
}
const sessions = (starts: readonly number[], sensorId = "a"): Promise<void> =>
  deliver(
    "store-sessions",
    "new-session-topic",
    starts.flatMap((start) => [started(sensorId, start), ended(sensorId, start, start + 400, 5)]),
  );
const windows = (starts: readonly number[], sensorId = "w"): Promise<void> =>
  deliver(
    "store-windows",
    "sensor-data-aggregated",
    starts.map((start) => windowed(sensorId, start)),
  );
/** Every other hop, so that each inference is a stretch. */
const activity = (starts: readonly number[]): Promise<void> =>
  deliver(
    "store-windows",
    "sensor-inference",
    starts.map((start) => inferred("w", start)),
  );
const letters = (times: readonly number[]): Promise<void> =>
  times.reduce(async (done, at) => {
    await done;
    const headers = { "error-code": "invalid-json", "error-message": "no JSON", stage: "decode" };
    const source = { "source-topic": "imu-data-all", "source-partition": "0", "source-offset": String(at) };
    const record = { topic: "dead-letter", offset: offset++, timestamp: at, key: "a", value: "{" };
    await fns.get("store-dead-letters")!.invoke(mskEvent([{ ...record, headers: { ...headers, ...source } }]));
  }, Promise.resolve());

const FIRST = [101_000, 102_000, 103_000, 104_000, 105_000, 106_000, 107_000];
const WINDOW = { pathParameters: { sensorId: "w" } };

/** What is listed, what puts newer items before it and older ones behind it, and how an item is named. */
const lists = [
  { fn: "read-sessions", path: "/sessions", options: {}, insert: sessions, named: "start" },
  { fn: "read-sensors", path: "/sensors/{sensorId}/windows", options: WINDOW, insert: windows, named: "window" },
  { fn: "read-sensors", path: "/sensors/{sensorId}/activity", options: WINDOW, insert: activity, named: "start" },
  { fn: "read-dead-letters", path: "/dead-letters", options: {}, insert: letters, named: "at" },
];

test.each(lists)("pages of $path that are read while data comes have each item once", async (list) => {
  const nameOf = (item: Item): unknown =>
    list.named === "window" ? (item["window"] as { start: number }).start : item[list.named];
  await list.insert(FIRST);
  const found: unknown[] = [];
  let cursor: string | null = null;
  for (let page = 0; ; page++) {
    const query = { limit: "2", ...(cursor === null ? {} : { cursor }) };
    const answer = await fns.get(list.fn)!.invoke<{ body: string }>(restEvent(list.path, { ...list.options, query }));
    const { items, next } = JSON.parse(answer.body) as { items: Item[]; next: string | null };
    found.push(...items.map(nameOf));
    if (next === null) break;
    cursor = next;
    // Two newer than all, one behind the cursor, and the newest revision of what was read already.
    await list.insert([110_000 + page * 2_000, 111_000 + page * 2_000, 99_000 - page * 1_000, FIRST.at(-1)!]);
  }
  const inserted = found.filter((name) => Number(name) < 100_000);
  expect(found).toEqual([...FIRST.toReversed(), ...inserted]);
  expect(inserted).toEqual(inserted.map((_, i) => 99_000 - i * 1_000));
  expect(inserted.length).toBeGreaterThan(1);
});

test("pages of sensors that are read while sensors send have each sensor once", async () => {
  const names = ["p", "q", "r", "s", "t"];
  for (const [i, name] of names.entries()) await windows([100_000 + i * 1_000], name);
  const found: unknown[] = [];
  let cursor: string | null = null;
  for (let page = 0; ; page++) {
    const query = { limit: "2", ...(cursor === null ? {} : { cursor }) };
    const answer = await fns.get("read-sensors")!.invoke<{ body: string }>(restEvent("/sensors", { query }));
    const { items, next } = JSON.parse(answer.body) as { items: Item[]; next: string | null };
    found.push(...items.map(({ sensorId }) => sensorId));
    if (next === null) break;
    cursor = next;
    // All send again, and a new one comes.
    for (const name of names) await windows([200_000 + page * 1_000], name);
    await windows([300_000 + page * 1_000], `new-${page}`);
  }
  expect(found.filter((name) => names.includes(name as string))).toEqual(names.toReversed());
  expect(new Set(found).size).toBe(found.length);
});
