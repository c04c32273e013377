import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { MongoClient, type Db } from "mongodb";
import { sharedServers, uniqueName } from "../support/servers.ts";
import { mskEvent, restEvent } from "./events.ts";
import { startFunction, type FunctionProcess } from "./function-process.ts";
import { ended, started, windowed } from "./records.ts";

const database = uniqueName("stores");
const env = { MONGODB_URI: sharedServers().mongodbUri, MONGODB_DATABASE: database };
let client: MongoClient;
let db: Db;
let storeSessions: FunctionProcess;
let storeWindows: FunctionProcess;

beforeAll(async () => {
  client = await MongoClient.connect(env.MONGODB_URI);
  db = client.db(database);
  storeSessions = startFunction("store-sessions", env);
  storeWindows = startFunction("store-windows", env);
});
afterAll(async () => {
  await Promise.all([storeSessions.stop(), storeWindows.stop()]);
  await db.dropDatabase();
  await client.close();
});

/** Delivers values in the given order, split into events of `size`. */
async function deliver(
  fn: FunctionProcess,
  topic: string,
  values: readonly unknown[],
  size = values.length,
  timestamp = Date.now(),
): Promise<void> {
  for (let at = 0; at < values.length; at += size) {
    const answer = await fn.invoke(
      mskEvent(values.slice(at, at + size).map((value, i) => ({ topic, offset: at + i, timestamp, key: "k", value }))),
    );
    expect(answer).toEqual({ batchItemFailures: [] });
  }
}

async function sessionsOf(sensorId: string): Promise<unknown[]> {
  const documents = await db
    .collection("sessions")
    .find({ _id: { $regex: `^${sensorId}@` } as never })
    .sort({ _id: 1 })
    .toArray();
  return documents
    .filter(({ superseded }) => superseded !== true)
    .map(({ _id, record, supersedes = [] }) => {
      // Behind the version, 16 digits, and a space.
      const fields = JSON.parse((record as string).slice(17)) as Record<string, unknown>;
      const { status, end, samples, revision, activity, warnings } = fields;
      return {
        sessionId: _id,
        status,
        end,
        samples,
        revision,
        supersedes: (supersedes as string[]).toSorted(),
        activity,
        warnings,
      };
    });
}

/**
 * The records of a sensor's sessions: one is extended twice and then merged into one that starts earlier, and another
 * stays open.
 */
const history = (sensor: string): Record<string, unknown>[] => [
  started(sensor, 1_000),
  ended(sensor, 1_000, 2_000, 11),
  ended(sensor, 1_000, 2_500, 16, { revision: 1, activity: { walking: 1.5 } }),
  started(sensor, 9_000),
  ended(sensor, 9_000, 9_900, 10),
  ended(sensor, 500, 2_500, 21, { supersedes: [`${sensor}@1000`] }),
  ended(sensor, 500, 9_900, 40, { revision: 1, supersedes: [`${sensor}@9000`] }),
  started(sensor, 20_000),
  started(sensor, 30_000),
  ended(sensor, 30_000, 31_000, 5, { warnings: ["acceleration-in-g"] }),
];
const outcome = (sensor: string): unknown[] => [
  {
    sessionId: `${sensor}@20000`,
    status: "open",
    end: null,
    samples: null,
    revision: null,
    supersedes: [],
    activity: null,
    warnings: [],
  },
  {
    sessionId: `${sensor}@30000`,
    status: "ended",
    end: 31_000,
    samples: 5,
    revision: 0,
    supersedes: [],
    activity: null,
    warnings: ["acceleration-in-g"],
  },
  {
    sessionId: `${sensor}@500`,
    status: "ended",
    end: 9_900,
    samples: 40,
    revision: 1,
    supersedes: [`${sensor}@1000`, `${sensor}@9000`],
    activity: null,
    warnings: [],
  },
];

test("any order and repetition of session records, split into any events, gives the same sessions", async () => {
  let run = 0;
  const deliveries = fc.record({
    order: fc.array(fc.nat(history("x").length - 1), { maxLength: 15 }).chain((extra) =>
      fc.shuffledSubarray([...history("x").keys(), ...extra], {
        minLength: history("x").length + extra.length,
        maxLength: history("x").length + extra.length,
      }),
    ),
    size: fc.integer({ min: 1, max: 12 }),
  });
  await fc.assert(
    fc.asyncProperty(deliveries, async ({ order, size }) => {
      const sensor = `p${run++}`;
      const records = history(sensor);
      await deliver(
        storeSessions,
        "new-session-topic",
        order.map((i) => records[i]!),
        size,
      );
      expect(await sessionsOf(sensor)).toEqual(outcome(sensor));
      // 40 and 5 readings of two that have ended, and one that is open; the others are hidden.
      expect(await db.collection("sensors").findOne({ _id: sensor as never })).toEqual({
        _id: sensor,
        firstSeen: 500,
        lastSeen: 31_000,
        days: { 0: { sessions: 3, samples: 45 } },
        newestSession: expect.stringMatching(/^0000000000030000 0000000000000002 /),
        expireAt: expect.any(Date),
      });
    }),
    { numRuns: 60 },
  );
});

test("two simultaneous deliveries of the same records give the same sessions", async () => {
  const records = history("twice");
  const other = startFunction("store-sessions", env);
  try {
    await Promise.all([
      deliver(storeSessions, "new-session-topic", records, 2),
      deliver(other, "new-session-topic", records.toReversed(), 3),
      deliver(storeSessions, "new-session-topic", records, 1),
    ]);
  } finally {
    await other.stop();
  }
  expect(await sessionsOf("twice")).toEqual(outcome("twice"));
});

/** 1657533977 s lies in the minute that begins at 1657533960 s. */
const windowsOf = (sensor: string): never => `${sensor}/tumbling-1000/1657533960000` as never;

test("the highest revision of a window stays, in whatever order the revisions arrive", async () => {
  let run = 0;
  const now = Date.now();
  const orders = fc
    .shuffledSubarray([0, 1, 2, 0, 2], { minLength: 3, maxLength: 5 })
    .filter((order) => order.includes(2));
  await fc.assert(
    fc.asyncProperty(orders, fc.integer({ min: 1, max: 5 }), async (order, size) => {
      const sensor = `w${run++}`;
      await deliver(
        storeWindows,
        "sensor-data-aggregated",
        order.map((revision) =>
          windowed(sensor, 1_657_533_977_000, { revision, count: 100 + revision, offset: revision }),
        ),
        size,
        now,
      );
      const [document] = await db
        .collection("windows")
        .find({ _id: windowsOf(sensor) })
        .toArray();
      expect(document).toMatchObject({ expireAt: new Date(now + 86_400_000) });
      const { 1657533977000: text } = document!["windows"] as Record<string, string>;
      expect(JSON.parse(text!.slice(17))).toMatchObject({
        id: "imu-data-all/0/2/0",
        revision: 2,
        count: 102,
        window: { start: 1_657_533_977_000, end: 1_657_533_978_000 },
      });
      // The hour of 10:06:17 is that of 10:00:00.
      expect(await db.collection("sensors").findOne({ _id: sensor as never })).toMatchObject({
        hours: { "tumbling-1000": { 1657533600000: new Date(now + 86_400_000) } },
      });
    }),
    { numRuns: 30 },
  );
});

test("a record that can't be read is reported as failed, and the others are stored", async () => {
  const records = [
    { topic: "new-session-topic", offset: 1, value: "{" },
    { topic: "new-session-topic", offset: 2, value: { type: "ended" } },
    { topic: "new-session-topic", offset: 3, value: started("after", 5) },
    { topic: "new-session-topic", offset: 4 },
  ];
  expect(await storeSessions.invoke(mskEvent(records))).toEqual({
    batchItemFailures: [{ itemIdentifier: { partition: "new-session-topic-0", offset: 1 } }],
  });
  expect(await sessionsOf("after")).toHaveLength(1);
});

test("windows expire by hours, by an index and without one", async () => {
  const indexes = await db.collection("windows").indexes();
  expect(indexes).toContainEqual(expect.objectContaining({ key: { expireAt: 1 }, expireAfterSeconds: 0 }));
  // A new process lets go with its first event. What it has just written has expired, and another sensor's has not.
  const before = Date.now() - 86_400_001;
  await deliver(storeWindows, "sensor-data-aggregated", [windowed("stays", 1_657_533_977_000)], 1);
  const fresh = startFunction("store-windows", env);
  const old = [windowed("old", 1_657_533_977_000), windowed("old", 1_657_533_977_000, { lengthMs: 2_000 })];
  await deliver(fresh, "sensor-data-aggregated", old, 2, before);
  await fresh.stop();
  expect(await db.collection("windows").findOne({ _id: windowsOf("old") })).toBeNull();
  expect(await db.collection("windows").findOne({ _id: "old/tumbling-2000/1657533960000" as never })).toBeNull();
  expect(await db.collection("sensors").findOne({ _id: "old" as never })).toMatchObject({
    hours: { "tumbling-1000": {}, "tumbling-2000": {} },
  });
  expect(await db.collection("windows").findOne({ _id: windowsOf("stays") })).not.toBeNull();
});

test("over the bound of sessions the oldest that have ended go, from all lists", async () => {
  const own = { ...env, MONGODB_DATABASE: uniqueName("bounded") };
  const bounded = startFunction("store-sessions", { ...own, MAX_SESSIONS: "3" });
  const read = startFunction("read-sessions", own);
  try {
    const MINUTES_20 = 1_200_000;
    const records = [
      started("a", 0),
      ended("b", 1_000, 2_000, 10),
      ended("a", MINUTES_20, MINUTES_20 + 1_000, 20),
      ended("a", 2 * MINUTES_20, 2 * MINUTES_20 + 1_000, 30),
      ended("a", 3 * MINUTES_20, 3 * MINUTES_20 + 1_000, 40),
    ];
    await deliver(bounded, "new-session-topic", records);
    const answer = await read.invoke<{ body: string }>(restEvent("/sessions", {}));
    const { items } = JSON.parse(answer.body) as { items: { sessionId: string }[] };
    // Two had to go: those of b and of a that have ended first. The open one stays.
    expect(items.map(({ sessionId }) => sessionId)).toEqual(["a@3600000", "a@2400000", "a@0"]);
    const bounds = client.db(own.MONGODB_DATABASE);
    expect(await bounds.collection("sessions").countDocuments()).toBe(3);
    expect(await bounds.collection("session-days").findOne({ _id: "b/0" as never })).toBeNull();
    expect(await bounds.collection("session-times").findOne({ _id: "1200000" as never })).toBeNull();
    expect(await bounds.collection("sensors").findOne({ _id: "a" as never })).toMatchObject({
      days: { 0: { sessions: 3, samples: 70 } },
    });
    expect(await bounds.collection("sensors").findOne({ _id: "b" as never })).toMatchObject({ days: {} });
  } finally {
    await Promise.all([bounded.stop(), read.stop()]);
    await client.db(own.MONGODB_DATABASE).dropDatabase();
  }
});

test("over the bound of sensors the longest silent go, with their windows", async () => {
  const own = { ...env, MONGODB_DATABASE: uniqueName("bounded") };
  const bounded = startFunction("store-windows", { ...own, MAX_SENSORS: "1" });
  try {
    const windows = [windowed("newer", 1_657_533_978_000), windowed("older", 1_657_533_977_000)];
    await deliver(bounded, "sensor-data-aggregated", windows);
    const bounds = client.db(own.MONGODB_DATABASE);
    expect((await bounds.collection("sensors").find().toArray()).map(({ _id }) => String(_id))).toEqual(["newer"]);
    expect((await bounds.collection("windows").find().toArray()).map(({ _id }) => String(_id))).toEqual([
      windowsOf("newer"),
    ]);
  } finally {
    await bounded.stop();
    await client.db(own.MONGODB_DATABASE).dropDatabase();
  }
});

test("a store that cannot be reached fails the whole event", async () => {
  const unreachable = startFunction("store-windows", {
    ...env,
    MONGODB_URI: "mongodb://127.0.0.1:9/?retryWrites=false",
    LOG_LEVEL: "error",
  });
  try {
    await expect(
      unreachable.invoke(mskEvent([{ topic: "sensor-data-aggregated", offset: 1, value: windowed("s", 0) }])),
    ).rejects.toThrow(/ECONNREFUSED/);
  } finally {
    await unreachable.stop();
  }
}, 30_000);
