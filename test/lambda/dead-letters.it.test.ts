import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { MongoClient, type Db } from "mongodb";
import { sharedServers, uniqueName } from "../support/servers.ts";
import { mskEvent, restEvent, type RecordSpec } from "./events.ts";
import { startFunction, type FunctionProcess } from "./function-process.ts";
import { windowed } from "./records.ts";

const database = uniqueName("letters");
const env = { MONGODB_URI: sharedServers().mongodbUri, MONGODB_DATABASE: database, MAX_DEAD_LETTERS: "20" };
const NOW = Date.now();
let client: MongoClient;
let db: Db;
const functions: Record<string, FunctionProcess> = {};

beforeAll(async () => {
  client = await MongoClient.connect(env.MONGODB_URI);
  db = client.db(database);
  for (const name of ["store-dead-letters", "store-windows", "read-dead-letters", "read-sensors"])
    functions[name] = startFunction(name, env);
});
afterAll(async () => {
  await Promise.all(Object.values(functions).map((fn) => fn.stop()));
  await db.dropDatabase();
  await client.close();
});

/** A letter as the processor writes it. */
function letter(
  sensor: string,
  offset: number,
  options: Partial<RecordSpec> & { code?: string; source?: number } = {},
): RecordSpec {
  const { code = "invalid-json", source = offset + 1_000, ...changes } = options;
  return {
    topic: "dead-letter",
    partition: 2,
    offset,
    timestamp: NOW + offset,
    key: sensor,
    value: "{",
    headers: {
      "error-code": code,
      "error-message": "unexpected end",
      stage: "decode",
      "source-topic": "imu-data-all",
      "source-partition": String(changes.partition ?? 2),
      "source-offset": String(source),
    },
    ...changes,
  };
}

async function store(...letters: RecordSpec[]): Promise<void> {
  expect(await functions["store-dead-letters"]!.invoke(mskEvent(letters))).toEqual({ batchItemFailures: [] });
}

interface Answer {
  readonly statusCode: number;
  readonly body: string;
}
async function read<T>(...event: Parameters<typeof restEvent>): Promise<{ status: number; body: T }> {
  const fn = event[0].startsWith("/sensors") ? "read-sensors" : "read-dead-letters";
  const { statusCode, body } = await functions[fn]!.invoke<Answer>(restEvent(...event));
  return { status: statusCode, body: JSON.parse(body) as T };
}
interface Page {
  readonly items: { readonly id: string; readonly sensorId: string; readonly rejected: number }[];
  readonly next: string | null;
}
const ids = async (query: Record<string, string>): Promise<string[]> =>
  (await read<Page>("/dead-letters", { query })).body.items.map(({ id }) => id);

test("a dead letter is read with its reason, its payload and what to do", async () => {
  await store(letter("one", 1, { value: '{"seq": "é"' }));
  const id = "imu-data-all/2/1001/0";
  const whole = await read("/dead-letters/{letterId}", { pathParameters: { letterId: id } });
  expect(whole).toEqual({
    status: 200,
    body: {
      id,
      at: NOW + 1,
      code: "invalid-json",
      message: "unexpected end",
      stage: "decode",
      sensorId: "one",
      symbol: null,
      source: { topic: "imu-data-all", partition: 2, offset: 1001 },
      mqttTopic: null,
      log: { partition: 2, offset: 1 },
      bytes: 12,
      contentType: null,
      traceparent: null,
      advice: expect.stringContaining("JSON"),
      payload: { encoding: "text", content: '{"seq": "é"' },
      isCut: false,
    },
  });
  const { payload: _, isCut: __, ...listed } = whole.body as Record<string, unknown>;
  expect((await read("/dead-letters", { query: { sensorId: "one" } })).body).toEqual({ items: [listed], next: null });
  expect((await read("/dead-letters/{letterId}", { pathParameters: { letterId: "none" } })).status).toBe(404);
});

test("a payload that is no text is base64, and a long one is cut, also within a character", async () => {
  const large = Buffer.from("é".repeat(20_000));
  await store(letter("two", 2, { value: Buffer.from([0xff, 0]) }), letter("two", 3, { value: `x${large.toString()}` }));
  const payloadOf = async (offset: number): Promise<Record<string, unknown>> =>
    (
      await read<Record<string, unknown>>("/dead-letters/{letterId}", {
        pathParameters: { letterId: `imu-data-all/2/${offset + 1_000}/0` },
      })
    ).body;
  expect(await payloadOf(2)).toMatchObject({
    bytes: 2,
    isCut: false,
    payload: { encoding: "base64", content: "/wA=" },
  });
  const cut = await payloadOf(3);
  expect(cut).toMatchObject({ bytes: 40_001, isCut: true, payload: { encoding: "text" } });
  expect((cut["payload"] as { content: string }).content.slice(0, 3)).toBe("xéé");
});

test("lists are by sensor, code and time, newest first, in pages", async () => {
  await store(
    ...[4, 5, 6].map((offset) => letter("three", offset)),
    letter("three", 7, { code: "out-of-range" }),
    letter("four", 8, { code: "out-of-range" }),
  );
  const id = (offset: number): string => `imu-data-all/2/${offset + 1_000}/0`;
  expect(await ids({ sensorId: "three" })).toEqual([7, 6, 5, 4].map(id));
  expect(await ids({ code: "out-of-range" })).toEqual([8, 7].map(id));
  expect(await ids({ sensorId: "three", code: "out-of-range" })).toEqual([id(7)]);
  expect(await ids({ from: String(NOW + 5), to: String(NOW + 7) })).toEqual([6, 5].map(id));
  const first = (await read<Page>("/dead-letters", { query: { sensorId: "three", limit: "3" } })).body;
  expect(first.items.map((one) => one.id)).toEqual([7, 6, 5].map(id));
  expect(await ids({ sensorId: "three", limit: "3", cursor: first.next! })).toEqual([id(4)]);
  expect((await read("/dead-letters", { query: { code: "unheard", sensorid: "x" } })).status).toBe(400);
});

test("a sensor says how many of its messages were refused, however often they are delivered", async () => {
  await functions["store-windows"]!.invoke(
    mskEvent([{ topic: "sensor-data-aggregated", offset: 1, key: "five", value: windowed("five", 1_000) }]),
  );
  const letters = [9, 10, 11].map((offset) => letter("five", offset));
  await store(...letters.slice(0, 2));
  await store(...letters);
  await store(...letters.slice(1), letter("five", 1, { partition: 3 }), letter("a/b", 12));
  const rejected = async (): Promise<unknown> =>
    (await read<{ rejected: number }>("/sensors/{sensorId}", { pathParameters: { sensorId: "five" } })).body.rejected;
  expect(await rejected()).toBe(4);
  // A processor that was killed writes its letters again.
  await store(letter("five", 13, { source: 1_011 }));
  expect(await rejected()).toBe(4);
  expect((await read<Page>("/sensors")).body.items).toEqual([expect.objectContaining({ rejected: 4 })]);
  expect((await read("/sensors/{sensorId}", { pathParameters: { sensorId: "nobody" } })).status).toBe(404);
});

test("of a flood the newest stay, and all are counted", async () => {
  await store(...Array.from({ length: 60 }, (_, i) => letter("six", 100 + i)));
  const kept = await ids({ limit: "1000" });
  expect(kept.slice(0, 20)).toEqual(Array.from({ length: 20 }, (_, i) => `imu-data-all/2/${1_159 - i}/0`));
  expect(kept.length).toBeLessThanOrEqual(25);
  const document = await db.collection<{ _id: string; letters: Record<string, string> }>("rejected").findOne({
    _id: "six",
  });
  expect(document!.letters["imu-data-all/2"]).toBe("0000000000001159 60");
});

test("sensors are found by a part of their id, and active ones are sorted by when they were heard", async () => {
  const at = (sensor: string, start: number): RecordSpec => ({
    topic: "sensor-data-aggregated",
    offset: start,
    key: sensor,
    value: windowed(sensor, start),
  });
  await functions["store-windows"]!.invoke(
    mskEvent([at("seek-1", 5_000), at("seek-1", 90_000), at("seek-2", 60_000), at("other-3", 70_000)]),
  );
  const names = async (query: Record<string, string>): Promise<string[]> =>
    (await read<Page>("/sensors", { query })).body.items.map(({ sensorId }) => sensorId);
  expect(await names({ q: "seek" })).toEqual(["seek-2", "seek-1"]);
  expect(await names({ q: "-3" })).toEqual(["other-3"]);
  expect(await names({ active: "", q: "-" })).toEqual(["seek-1", "other-3", "seek-2"]);
  expect(await names({ active: "true", limit: "1" })).toEqual(["seek-1"]);
  expect((await read("/sensors", { query: { active: "no" } })).status).toBe(400);
  const first = (await read<Page>("/sensors", { query: { q: "seek", limit: "1" } })).body;
  expect(await names({ q: "seek", limit: "1", cursor: first.next! })).toEqual(["seek-1"]);
  expect((await read("/sensors", { query: { q: "other", cursor: first.next! } })).status).toBe(400);
  expect((await read("/sensors", { query: { active: "", q: "seek", cursor: first.next! } })).status).toBe(400);
});
