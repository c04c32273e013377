import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { MongoClient } from "mongodb";
import { activityStretch, problem, page, sensor, sensorWindow, session } from "../../domain/api.ts";
import { sessionWarnings } from "../../domain/imu.ts";
import { sharedServers, uniqueName } from "../support/servers.ts";
import { mskEvent, restEvent } from "./events.ts";
import { startFunction, type FunctionProcess } from "./function-process.ts";
import { ended, inferred, started, windowed } from "./records.ts";

interface Answer {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: string;
}
interface Page {
  readonly items: Record<string, unknown>[];
  readonly next: string | null;
}

const database = uniqueName("read");
const env = { MONGODB_URI: sharedServers().mongodbUri, MONGODB_DATABASE: database };
const DAY = 86_400_000;
let readSessions: FunctionProcess;
let readSensors: FunctionProcess;

beforeAll(async () => {
  const stores = [startFunction("store-sessions", env), startFunction("store-windows", env)];
  readSessions = startFunction("read-sessions", env);
  readSensors = startFunction("read-sensors", env);
  const sessions = [
    started("a", 1_000),
    ended("a", 1_000, 2_000, 11, { activity: { walking: 1 }, warnings: ["acceleration-in-g"] }),
    started("a", 10_000),
    started("b", 5_000),
    ended("b", 5_000, 6_000, 21),
    started("b", 4_000),
    ended("b", 4_000, 6_000, 31, { supersedes: ["b@5000"] }),
    // Three that start at once: only their ids order them.
    ...["c", "d", "e"].flatMap((id) => [started(id, 7_000), ended(id, 7_000, 7_500, 6)]),
  ];
  const now = Date.now();
  const windows = [0, 1_000, 2_000, 3_000]
    .map((start) => ({ value: windowed("a", start), timestamp: now }))
    .concat({ value: windowed("a", 64_000), timestamp: now - DAY - 1 });
  await stores[0]!.invoke(mskEvent(sessions.map((value, offset) => ({ topic: "new-session-topic", offset, value }))));
  await stores[1]!.invoke(
    mskEvent(windows.map((record, offset) => ({ topic: "sensor-data-aggregated", offset, ...record }))),
  );
  // Delivered twice, and out of order.
  const inferences = [inferred("a", 500, { label: "SITTING" }), inferred("a", 250), inferred("a", 0)].map(
    (value, offset) => ({ topic: "sensor-inference", offset, value, timestamp: now }),
  );
  await stores[1]!.invoke(mskEvent(inferences));
  await stores[1]!.invoke(mskEvent(inferences.toReversed()));
  await Promise.all(stores.map((store) => store.stop()));
});
afterAll(async () => {
  await Promise.all([readSessions.stop(), readSensors.stop()]);
  const client = await MongoClient.connect(env.MONGODB_URI);
  await client.db(database).dropDatabase();
  await client.close();
});

async function get(
  fn: FunctionProcess,
  resource: string,
  options: Parameters<typeof restEvent>[1] = {},
): Promise<{ status: number; body: Record<string, unknown> & Page; headers: Record<string, string> }> {
  const answer = await fn.invoke<Answer>(restEvent(resource, options));
  return {
    status: answer.statusCode,
    headers: answer.headers,
    body: JSON.parse(answer.body) as Record<string, unknown> & Page,
  };
}
const ids = (body: Page): unknown[] => body.items.map(({ sessionId }) => sessionId);

test("sessions are listed newest first, without those that were superseded", async () => {
  const { status, body, headers } = await get(readSessions, "/sessions");
  expect(status).toBe(200);
  expect(headers["content-type"]).toBe("application/json");
  expect(ids(body)).toEqual(["a@10000", "e@7000", "d@7000", "c@7000", "b@4000", "a@1000"]);
  expect(body.next).toBeNull();
  expect(page(session).parse(body)).toEqual(body);
  expect(body.items.at(-1)).toEqual({
    sessionId: "a@1000",
    sensorId: "a",
    status: "ended",
    start: 1_000,
    end: 2_000,
    samples: 11,
    revision: 0,
    activity: { walking: 1 },
    warnings: [{ code: "acceleration-in-g", message: sessionWarnings["acceleration-in-g"] }],
    supersedes: [],
  });
  expect(body.items[0]).toEqual({
    sessionId: "a@10000",
    sensorId: "a",
    status: "open",
    start: 10_000,
    end: null,
    samples: null,
    revision: null,
    warnings: [],
    supersedes: [],
  });
});

test.each([
  [{ sensorId: "a" }, ["a@10000", "a@1000"]],
  [{ sensorId: "nobody" }, []],
  [{ status: "open" }, ["a@10000"]],
  [{ status: "ended", sensorId: "b" }, ["b@4000"]],
  // a@1000 lasts from 1,000 to 2,000. [2000, …) has its last sample, [2001, …) has nothing of it, and […, 1000) is
  // before it.
  [{ from: "2000", to: "3000" }, ["a@1000"]],
  [{ from: "2001", to: "3000" }, []],
  [{ to: "1000" }, []],
  [{ to: "1001" }, ["a@1000"]],
  [{ from: "7501", to: "10000" }, []],
  // An open session reaches into the future.
  [{ from: "2030-01-01T00:00:00Z" }, ["a@10000"]],
  [{ from: "1970-01-01T00:00:06.5Z", to: "1970-01-01T01:00:08+01:00" }, ["e@7000", "d@7000", "c@7000"]],
])("sessions by %j", async (query, expected) => {
  const { body } = await get(readSessions, "/sessions", { query: query as Record<string, string> });
  expect(ids(body)).toEqual(expected);
});

test("pages follow one another without gap or repetition, also among equal times", async () => {
  for (const limit of [1, 2, 4]) {
    const found: unknown[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const { body }: { body: Page } = await get(readSessions, "/sessions", {
        query: { limit: String(limit), ...(cursor ? { cursor } : {}) },
      });
      found.push(...ids(body));
      cursor = body.next;
    }
    expect(found).toEqual(["a@10000", "e@7000", "d@7000", "c@7000", "b@4000", "a@1000"]);
  }
});

test("a cursor of another list, or a forged one, is refused", async () => {
  const { body } = await get(readSessions, "/sessions", { query: { limit: "1" } });
  for (const query of [
    { cursor: body.next!, sensorId: "a" },
    { cursor: "nonsense" },
    { cursor: Buffer.from('[{"$gt":0},"",""]').toString("base64url") },
  ]) {
    const refused = await get(readSessions, "/sessions", { query });
    expect(refused).toMatchObject({
      status: 400,
      body: { type: "urn:millrace:problem:invalid-request", errors: [{ in: "query", name: "cursor" }] },
    });
  }
});

test("every wrong parameter is reported at once", async () => {
  const { status, headers, body } = await get(readSessions, "/sessions", {
    query: {
      sensorId: "no/sensor",
      from: "yesterday",
      to: "2022-07-11T10:00:00",
      status: "closed",
      limit: "0",
      colour: "red",
    },
  });
  expect(status).toBe(400);
  expect(headers["content-type"]).toBe("application/problem+json");
  expect(problem.parse(body)).toEqual(body);
  expect(
    (body["errors"] as { name: string; received: string }[])
      .map(({ name, received }) => [name, received])
      .sort(([a], [b]) => (a! < b! ? -1 : 1)),
  ).toEqual([
    ["colour", "red"],
    ["from", "yesterday"],
    ["limit", "0"],
    ["sensorId", "no/sensor"],
    ["status", "closed"],
    ["to", "2022-07-11T10:00:00"],
  ]);
});

test.each([
  [{ limit: "1001" }, "limit"],
  [{ limit: "1.5" }, "limit"],
  [{ limit: "" }, "limit"],
  [{ from: "5", to: "5" }, "to"],
  [{ sensorId: ["a", "b"] }, "sensorId"],
  [{ from: "" }, "from"],
  [{ from: "Infinity" }, "from"],
  [{ from: "1e3" }, "from"],
  [{ from: "2026-13-01" }, "from"],
])("%j is refused", async (query, name) => {
  expect(await get(readSessions, "/sessions", { query: query as Record<string, string> })).toMatchObject({
    status: 400,
    body: { errors: [{ name }] },
  });
});

test("one session by its id, encoded in the path or not", async () => {
  for (const sessionId of ["b@4000", "b%404000"])
    expect((await get(readSessions, "/sessions/{sessionId}", { pathParameters: { sessionId } })).body).toMatchObject({
      sessionId: "b@4000",
      samples: 31,
      supersedes: ["b@5000"],
    });
  expect(await get(readSessions, "/sessions/{sessionId}", { pathParameters: { sessionId: "a@5" } })).toMatchObject({
    status: 404,
    body: { status: 404, type: "urn:millrace:problem:not-found" },
  });
  expect(await get(readSessions, "/sessions/{sessionId}", { pathParameters: { sessionId: "b@5000" } })).toMatchObject({
    status: 404,
    body: { detail: "session b@5000 is now part of an earlier one of its sensor" },
  });
  expect(await get(readSessions, "/sessions/{sessionId}", { pathParameters: { sessionId: "b" } })).toMatchObject({
    status: 400,
    body: { errors: [{ in: "path", name: "sessionId", received: "b" }] },
  });
});

test("sensors are listed with what is known of them, page by page", async () => {
  const { body } = await get(readSensors, "/sensors", { query: { limit: "4" } });
  expect(page(sensor).parse(body)).toEqual(body);
  expect(body.items).toEqual([
    { sensorId: "e", firstSeen: 7_000, lastSeen: 7_500, sessions: 1, samples: 6, rejected: 0 },
    { sensorId: "d", firstSeen: 7_000, lastSeen: 7_500, sessions: 1, samples: 6, rejected: 0 },
    { sensorId: "c", firstSeen: 7_000, lastSeen: 7_500, sessions: 1, samples: 6, rejected: 0 },
    { sensorId: "b", firstSeen: 4_000, lastSeen: 6_000, sessions: 1, samples: 31, rejected: 0 },
  ]);
  const rest = await get(readSensors, "/sensors", { query: { limit: "4", cursor: body.next! } });
  expect(rest.body).toEqual({
    items: [{ sensorId: "a", firstSeen: 0, lastSeen: 64_000, sessions: 2, samples: 11, rejected: 0 }],
    next: null,
  });
});

test("windows of a sensor that have not expired, newest first, by what overlaps an interval", async () => {
  const of = (query: Record<string, string>): ReturnType<typeof get> =>
    get(readSensors, "/sensors/{sensorId}/windows", { pathParameters: { sensorId: "a" }, query });
  const starts = ({ body }: { body: Page }): number[] =>
    body.items.map(({ window }) => (window as { start: number }).start);
  const all = await of({});
  expect(page(sensorWindow).parse(all.body)).toEqual(all.body);
  expect(starts(all)).toEqual([3_000, 2_000, 1_000, 0]);
  expect(all.body.items[3]).toMatchObject({
    sensorId: "a",
    operator: "tumbling-1000",
    window: { start: 0, end: 1_000 },
    revision: 0,
    cause: "watermark",
    count: 100,
    channels: { ax: { mean: 0.5, std: 0.25, min: 0, max: 1, rms: 0.6 } },
  });
  expect(starts(await of({ from: "1000", to: "2001" }))).toEqual([2_000, 1_000]);
  const first = await of({ limit: "3" });
  expect(starts(await of({ limit: "3", cursor: first.body.next! }))).toEqual([0]);
  expect((await get(readSensors, "/sensors/{sensorId}/windows", { pathParameters: { sensorId: "b" } })).body).toEqual({
    items: [],
    next: null,
  });
  expect(
    await get(readSensors, "/sensors/{sensorId}/windows", { pathParameters: { sensorId: "nobody" } }),
  ).toMatchObject({ status: 404 });
});

test("activity of a sensor is stretches of its inferences, newest first, page by page", async () => {
  const of = (sensorId: string, query: Record<string, string> = {}): ReturnType<typeof get> =>
    get(readSensors, "/sensors/{sensorId}/activity", { pathParameters: { sensorId }, query });
  const all = await of("a");
  expect(page(activityStretch).parse(all.body)).toEqual(all.body);
  const walking = { label: "WALKING", probabilities: { WALKING: 0.75, SITTING: 0.25 }, inferences: 2 };
  const sitting = { label: "SITTING", inferences: 1 };
  expect(all.body).toMatchObject({
    items: [
      { sensorId: "a", start: 500, end: 750, ...sitting, model: "activity 3" },
      { sensorId: "a", start: 0, end: 500, ...walking, model: "activity 3" },
    ],
    next: null,
  });
  const first = await of("a", { limit: "1" });
  expect(first.body).toMatchObject({ items: [sitting], next: expect.any(String) });
  expect((await of("a", { limit: "1", cursor: first.body.next! })).body).toMatchObject({
    items: [walking],
    next: null,
  });
  expect((await of("a", { from: "250", to: "500" })).body).toMatchObject({ items: [{ start: 250, end: 500 }] });
  expect((await of("b")).body).toEqual({ items: [], next: null });
  expect(await of("nobody")).toMatchObject({ status: 404 });
});

test("a store that does not answer gives 503 within its limit", async () => {
  const unreachable = startFunction("read-sessions", {
    ...env,
    MONGODB_URI: "mongodb://127.0.0.1:9/?retryWrites=false",
    LOG_LEVEL: "error",
  });
  try {
    expect(await get(unreachable, "/sessions")).toMatchObject({
      status: 503,
      headers: { "content-type": "application/problem+json", "retry-after": "2" },
      body: { type: "urn:millrace:problem:unavailable", detail: "MongoDB does not answer" },
    });
  } finally {
    await unreachable.stop();
  }
});

test("features need a feature store", async () => {
  expect(await get(readSensors, "/sensors/{sensorId}/features", { pathParameters: { sensorId: "a" } })).toMatchObject({
    status: 503,
    body: { detail: "this environment has no feature store" },
  });
});
