import {
  DescribeTimeToLiveCommand,
  DynamoDBClient,
  GetItemCommand,
  type AttributeValue,
} from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { sharedServers, uniqueName } from "../support/servers.ts";
import { webSocketEvent } from "./events.ts";
import { startFunction, type FunctionProcess } from "./function-process.ts";

const table = uniqueName("connections");
const env = {
  DYNAMODB_ENDPOINT: sharedServers().dynamodbEndpoint,
  CONNECTIONS_TABLE: table,
  PIPELINES: "sensor,market",
};
const client = new DynamoDBClient({
  region: "us-east-1",
  endpoint: env.DYNAMODB_ENDPOINT,
  credentials: { accessKeyId: "local", secretAccessKey: "local" },
});
const functions: Record<string, FunctionProcess> = {};

beforeAll(() => {
  for (const name of ["connect", "disconnect", "subscribe"]) functions[name] = startFunction(name, env);
});
afterAll(async () => {
  await Promise.all(Object.values(functions).map((fn) => fn.stop()));
  client.destroy();
});

async function item(connectionId: string): Promise<Record<string, AttributeValue> | undefined> {
  return (
    await client.send(
      new GetItemCommand({ TableName: table, Key: { connectionId: { S: connectionId } }, ConsistentRead: true }),
    )
  ).Item;
}
const connect = (id: string, query?: Record<string, string[]>): Promise<{ statusCode: number; body?: string }> =>
  functions["connect"]!.invoke(webSocketEvent("$connect", id, query ? { query } : {}));
async function send(
  id: string,
  body: string,
  routeKey = "subscribe",
  operator: "true" | "false" = "false",
): Promise<unknown> {
  const answer = await functions["subscribe"]!.invoke<{ statusCode: number; body: string }>(
    webSocketEvent(routeKey, id, { body, authorizer: { operator } }),
  );
  expect(answer.statusCode).toBe(200);
  return JSON.parse(answer.body);
}

test("a connection is in the table, with its first subscriptions, until it disconnects", async () => {
  const before = Math.floor(Date.now() / 1_000);
  expect(
    await connect("c1", {
      sensorId: ["s1", "s2"],
      session: ["s3@1657533977813"],
      ticket: ["whatever an authorizer reads"],
    }),
  ).toEqual({ statusCode: 200 });
  const { expiresAt, ...rest } = (await item("c1"))!;
  expect(rest).toEqual({
    connectionId: { S: "c1" },
    sensors: { SS: ["s1", "s2"] },
    sessions: { SS: ["s3@1657533977813"] },
  });
  // API Gateway ends a connection after two hours.
  expect(Number(expiresAt!.N) - before).toBeGreaterThan(2 * 3_600);
  expect((await client.send(new DescribeTimeToLiveCommand({ TableName: table }))).TimeToLiveDescription).toMatchObject({
    TimeToLiveStatus: "ENABLED",
    AttributeName: "expiresAt",
  });
  expect(await functions["disconnect"]!.invoke(webSocketEvent("$disconnect", "c1"))).toEqual({ statusCode: 200 });
  expect(await item("c1")).toBeUndefined();
  expect(await functions["disconnect"]!.invoke(webSocketEvent("$disconnect", "c1"))).toEqual({ statusCode: 200 });
});

test("symbols are subscribed to as sensors are", async () => {
  expect(await connect("m1", { symbol: ["AAPL", "BRK.B"], sensorId: ["AAPL"] })).toEqual({ statusCode: 200 });
  expect(await send("m1", '{"action":"subscribe","symbol":"MSFT"}')).toEqual({ type: "subscribed", symbol: "MSFT" });
  expect(await send("m1", '{"action":"unsubscribe","symbol":"AAPL"}', "unsubscribe")).toEqual({
    type: "unsubscribed",
    symbol: "AAPL",
  });
  expect(await item("m1")).toMatchObject({ sensors: { SS: ["AAPL"] }, symbols: { SS: ["BRK.B", "MSFT"] } });
  const refused = await connect("m2", { symbol: ["aapl"] });
  expect(refused).toMatchObject({ statusCode: 400, body: expect.stringContaining('symbol is "aapl"') });
});

test("where no market runs, a symbol can't be subscribed to", async () => {
  const without = { ...env, PIPELINES: "sensor" };
  const fns = [startFunction("connect", without), startFunction("subscribe", without)] as const;
  try {
    expect(await fns[0].invoke(webSocketEvent("$connect", "m3", { query: { symbol: ["AAPL"] } }))).toEqual({
      statusCode: 400,
      body: 'symbol is "AAPL": the market does not run in this environment',
    });
    const body = '{"action":"subscribe","symbol":"AAPL"}';
    const answer = await fns[1].invoke<{ body: string }>(webSocketEvent("subscribe", "m3", { body }));
    expect(JSON.parse(answer.body)).toMatchObject({
      type: "error",
      code: "invalid-message",
      message: expect.stringContaining("the market does not run in this environment"),
    });
    expect(await item("m3")).toBeUndefined();
  } finally {
    await Promise.all(fns.map((fn) => fn.stop()));
  }
});

test("a connection with wrong parameters is refused, and the answer says why", async () => {
  const refused = await connect("c2", { sensorId: ["a b"], session: ["s1"], sensor: ["s1"] });
  expect(refused.statusCode).toBe(400);
  expect(refused.body).toMatch(/sensorId is "a b".*session is "s1"/);
  expect(await item("c2")).toBeUndefined();
});

test("subscribe and unsubscribe change the table and are answered", async () => {
  await connect("c3");
  expect(await item("c3")).not.toHaveProperty("sensors");
  expect(await send("c3", '{"action":"subscribe","sensorId":"s1"}')).toEqual({ type: "subscribed", sensorId: "s1" });
  expect(await send("c3", '{"action":"subscribe","sensorId":"s1"}')).toEqual({ type: "subscribed", sensorId: "s1" });
  expect(await send("c3", '{"action":"subscribe","session":"s1@5"}')).toEqual({ type: "subscribed", session: "s1@5" });
  expect(await item("c3")).toMatchObject({ sensors: { SS: ["s1"] }, sessions: { SS: ["s1@5"] } });
  expect(await send("c3", '{"action":"unsubscribe","sensorId":"s1"}', "unsubscribe")).toEqual({
    type: "unsubscribed",
    sensorId: "s1",
  });
  expect(await item("c3")).not.toHaveProperty("sensors");
  expect(await send("c3", '{"action":"unsubscribe","sensorId":"s1"}', "unsubscribe")).toEqual({
    type: "unsubscribed",
    sensorId: "s1",
  });
});

test("a ping is answered, and changes nothing", async () => {
  expect(await send("c4", '{"action":"ping"}', "$default")).toEqual({ type: "pong" });
  expect(await item("c4")).toBeUndefined();
});

test.each([
  "",
  "no json",
  '{"action":"ping","sensorId":"a"}',
  "[]",
  '{"action":"dance"}',
  '{"action":"subscribe"}',
  '{"action":"subscribe","sensorId":"a b"}',
  '{"action":"subscribe","sensorId":"a","session":"a@1"}',
  '{"action":"subscribe","sensorId":"a","symbol":"A"}',
  '{"action":"subscribe","symbol":"a"}',
  '{"action":"subscribe","session":"a@1","resume":{"window":"imu-data-all/3/1/0"}}',
  '{"action":"unsubscribe","sensorId":"a","resume":{"window":"imu-data-all/3/1/0"}}',
])("%j is answered with what is wrong", async (body) => {
  expect(await send("c4", body, "$default")).toMatchObject({ type: "error", code: "invalid-message" });
  expect(await item("c4")).toBeUndefined();
});

test("a connection has at most 1,000 sensors, and may repeat those it has", async () => {
  expect(await connect("c5", { sensorId: Array.from({ length: 1_000 }, (_, i) => `s${i}`) })).toEqual({
    statusCode: 200,
  });
  expect(await send("c5", '{"action":"subscribe","sensorId":"one-more"}')).toMatchObject({
    type: "error",
    code: "too-many-subscriptions",
  });
  expect(await send("c5", '{"action":"subscribe","sensorId":"s7"}')).toEqual({ type: "subscribed", sensorId: "s7" });
  expect((await connect("c6", { sensorId: Array.from({ length: 1_001 }, (_, i) => `s${i}`) })).statusCode).toBe(400);
});

test.each([
  [
    '{"action":"subscribe","sensorId":"a","sensor":"b"}',
    "sensor, which is unknown; there are action, sensorId, session",
  ],
  [
    '{"action":"subscribe","sensorId":"a","resume":{"samples":"imu-data-all/3/1/0"}}',
    "resume: has samples, which is unknown; there are window, session, inference",
  ],
  ['{"action":"subscribe","sensorId":"a","resume":{}}', "resume: needs an id of window, session, inference"],
  ['{"action":"subscribe","sensorId":"a","resume":{"window":"7"}}', "imu-data-all/<partition>/<offset>/<n>"],
  ['{"action":"subscribe","sensorId":"a","resume":{"window":"market-trades/3/1/0"}}', "must be the id of a record"],
  [
    '{"action":"subscribe","sensorId":"*","resume":{"window":["imu-data-all/3/1/0","imu-data-all/3/2/0"]}}',
    "resume.window: has two ids of a partition",
  ],
  [
    JSON.stringify({
      action: "subscribe",
      sensorId: "*",
      resume: { window: Array.from({ length: 101 }, (_, partition) => `imu-data-all/${partition}/1/0`) },
    }),
    "resume.window: has more than 100 ids",
  ],
  [JSON.stringify({ action: "ping", padding: "x".repeat(32_000) }), "bytes, more than 32000"],
])("%.120s is refused, with what there is", async (body, why) => {
  expect(await send("c7", body, "subscribe", "true")).toMatchObject({
    type: "error",
    code: "invalid-message",
    message: expect.stringContaining(why),
  });
  expect(await item("c7")).toBeUndefined();
});

test("what a client asks for again is in the table by partition, with its subscription, until it is sent", async () => {
  const resume = { window: ["imu-data-all/3/17/0", "imu-data-all~2/4/9/1"], inference: "imu-data-all/3/18/2" };
  const body = JSON.stringify({ action: "subscribe", sensorId: "s1", resume });
  expect(await send("r1", body)).toEqual({ type: "subscribed", sensorId: "s1" });
  const { sensors, resumes } = (await item("r1"))!;
  expect(sensors).toEqual({ SS: ["s1"] });
  const asked = resumes!.SS!.map((text) => JSON.parse(text) as Record<string, unknown>);
  const byPartition = asked.toSorted((a, b) => Number(a["partition"]) - Number(b["partition"]));
  expect(byPartition).toEqual([
    {
      requestId: "Xyz123=",
      sensorId: "s1",
      partition: 3,
      after: { window: "imu-data-all/3/17/0", inference: "imu-data-all/3/18/2" },
    },
    { requestId: "Xyz123=", sensorId: "s1", partition: 4, after: { window: "imu-data-all~2/4/9/1" } },
  ]);
});

test("a connection waits for at most 300 partitions of sensors", async () => {
  const ids = Array.from({ length: 100 }, (_, partition) => `imu-data-all/${partition}/1/0`);
  const ask = (sensorId: string, window: readonly string[]): Promise<unknown> =>
    send("r2", JSON.stringify({ action: "subscribe", sensorId, resume: { window } }));
  for (const sensorId of ["s1", "s2", "s3"]) expect(await ask(sensorId, ids)).toEqual({ type: "subscribed", sensorId });
  expect(await ask("s4", ids.slice(0, 1))).toMatchObject({
    type: "error",
    code: "too-many-resumes",
    message: expect.stringContaining("300"),
  });
  expect((await item("r2"))!["sensors"]).toEqual({ SS: ["s1", "s2", "s3"] });
});

test("all sensors are for operators; to leave them is for everybody", async () => {
  const body = '{"action":"subscribe","sensorId":"*"}';
  expect(await send("o1", body)).toMatchObject({
    type: "error",
    code: "operators-only",
    message: expect.stringContaining("subscribe to each sensor, or sign in as an operator"),
  });
  expect(await item("o1")).toBeUndefined();
  expect(await send("o1", body, "subscribe", "true")).toEqual({ type: "subscribed", sensorId: "*" });
  expect((await item("o1"))!["sensors"]).toEqual({ SS: ["*"] });
  expect(await send("o1", '{"action":"unsubscribe","sensorId":"*"}', "unsubscribe")).toEqual({
    type: "unsubscribed",
    sensorId: "*",
  });
  expect(await item("o1")).not.toHaveProperty("sensors");
  // The address takes sensors only.
  expect((await connect("o2", { sensorId: ["*"] })).statusCode).toBe(400);
});
