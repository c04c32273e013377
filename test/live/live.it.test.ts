import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { DynamoDBClient, GetItemCommand, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Partitioners, type Admin, type Producer } from "kafkajs";
import { createTopics } from "../../adapters/kafka-topics.ts";
import { createKafka } from "../../adapters/kafka.ts";
import { encodeColumns } from "../../domain/columns.ts";
import { topics } from "../../domain/topics.ts";
import { ensureConnectionsTable } from "../../lambda/shared/connections-table.ts";
import { alerted, barred, ended, enriched, inferred, started, windowed } from "../lambda/records.ts";
import { eventually } from "../support/eventually.ts";
import { sharedServers, uniqueName } from "../support/servers.ts";
import { gone, limited, startRecordingGateway, type RecordingGateway } from "./gateway.ts";

const servers = sharedServers();
const table = uniqueName("live");
const dynamo = new DynamoDBClient({
  region: "us-east-1",
  endpoint: servers.dynamodbEndpoint,
  credentials: { accessKeyId: "local", secretAccessKey: "local" },
});
const kafka = createKafka({ kafkaBrokers: servers.kafkaBrokers, kafkaAuth: "none", region: "local" }, "live-test");
let gateway: RecordingGateway;
let admin: Admin;
let producer: Producer;
let live: ChildProcess;
let offset = Date.now();

beforeAll(async () => {
  admin = kafka.admin();
  producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await Promise.all([admin.connect(), producer.connect(), ensureConnectionsTable(dynamo, table)]);
  await createTopics(admin);
  gateway = await startRecordingGateway();
  live = await startLive();
});
afterAll(async () => {
  await stopLive(live);
  await Promise.all([admin.disconnect(), producer.disconnect(), gateway.stop()]);
  dynamo.destroy();
});

/** Starts the real program and waits until it has its partitions. */
async function startLive(): Promise<ChildProcess> {
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(import.meta.dirname, "../../live/main.ts")],
    {
      env: {
        ...process.env,
        KAFKA_BROKERS: servers.kafkaBrokers,
        DYNAMODB_ENDPOINT: servers.dynamodbEndpoint,
        CONNECTIONS_TABLE: table,
        PIPELINES: "sensor,market",
        WEBSOCKET_ENDPOINT: gateway.endpoint,
        LOG_LEVEL: "info",
      },
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  let text = "";
  for await (const chunk of child.stderr as AsyncIterable<Buffer>)
    if ((text += chunk.toString()).includes("joined the group")) break;
  child.stderr!.resume();
  if (!text.includes("joined the group")) throw new Error(`live ended: ${text}`);
  return child;
}

async function stopLive(child: ChildProcess): Promise<number | null> {
  child.kill("SIGTERM");
  const [code] = (await once(child, "exit")) as [number | null];
  return code;
}

/**
 * Puts a subscription into the table and waits until live knows it: until a probe window of a sensor of its own
 * arrives.
 */
async function subscribe(connectionId: string, kind: "sensors" | "sessions" | "symbols", id: string): Promise<void> {
  const probe = uniqueName("probe");
  await dynamo.send(
    new UpdateItemCommand({
      TableName: table,
      Key: { connectionId: { S: connectionId } },
      UpdateExpression: kind === "sensors" ? "ADD sensors :both" : `ADD sensors :probe, ${kind} :id`,
      ExpressionAttributeValues:
        kind === "sensors" ? { ":both": { SS: [id, probe] } } : { ":probe": { SS: [probe] }, ":id": { SS: [id] } },
    }),
  );
  await eventually(
    async () => {
      await publish(topics.aggregated.name, probe, windowed(probe, 0, { offset: offset++ }));
      return gateway.messages(connectionId);
    },
    { until: (messages) => messages.some(({ data }) => (data as { sensorId: string }).sensorId === probe) },
  );
}
const received = (connectionId: string, sensorId: string): Record<string, unknown>[] =>
  gateway.messages(connectionId).filter(({ data }) => (data as { sensorId: string }).sensorId === sensorId);

async function publish(
  topic: string,
  key: string,
  value: Uint8Array | Record<string, unknown>,
  contentType = "application/json",
): Promise<void> {
  await producer.send({
    topic,
    messages: [
      {
        key,
        value: value instanceof Uint8Array ? Buffer.from(value) : JSON.stringify(value),
        headers: { "content-type": contentType },
      },
    ],
  });
}

/** A transformed message of two columns in packed form. */
function packed(sensorId: string, t: readonly number[], at = offset++): Uint8Array {
  const header = {
    id: `imu-data-all/0/${at}/0`,
    schema: 1,
    sensorId,
    seq: at,
    count: t.length,
    columns: ["ax", "accMag"],
  };
  return encodeColumns(
    JSON.stringify(header),
    t.length,
    Float64Array.from(t),
    Float64Array.from([...t.map((_, i) => 9.81 + i), ...t.map(() => 0.1)]),
    2,
    t.length,
  );
}
const COLUMNS = "application/x-millrace-columns";

test("a subscriber of a sensor is notified of its refused messages, in the words of the dead letter", async () => {
  const sensor = uniqueName("s");
  await subscribe("rejected-1", "sensors", sensor);
  const source = offset++;
  await producer.send({
    topic: topics.deadLetter.name,
    messages: [
      {
        key: sensor,
        value: '{"seq":5,"boot":"b1","t":"x"}',
        timestamp: "1657533977900",
        headers: {
          "error-code": "invalid-message",
          "error-message": "t is a text",
          stage: "decode",
          "source-topic": "imu-data-all",
          "source-partition": "0",
          "source-offset": String(source),
        },
      },
    ],
  });
  await eventually(async () => received("rejected-1", sensor), { until: (messages) => messages.length > 0 });
  expect(received("rejected-1", sensor)).toEqual([
    {
      type: "rejected",
      data: {
        sensorId: sensor,
        id: `imu-data-all/0/${source}/0`,
        at: 1_657_533_977_900,
        code: "invalid-message",
        message: "t is a text",
        stage: "decode",
        seq: 5,
        boot: "b1",
      },
    },
  ]);
});

test("a subscriber gets samples, windows, sessions and inferences of its sensor, and nobody else's", async () => {
  const [mine, other] = [uniqueName("mine"), uniqueName("other")];
  await subscribe("one", "sensors", mine);
  for (const sensor of [other, mine]) {
    await publish(topics.transformed.name, sensor, packed(sensor, [1_000, 1_010.5]), COLUMNS);
    await publish(topics.aggregated.name, sensor, windowed(sensor, 1_000, { offset: offset++ }));
    await publish(topics.sessions.name, sensor, started(sensor, 1_000, { offset: offset++ }));
    await publish(topics.inference.name, sensor, inferred(sensor, 0, { offset: offset++ }));
    await publish(topics.inference.name, sensor, inferred(sensor, 250, { offset: offset++, label: null }));
    // The JSON form, too.
    await publish(topics.transformed.name, sensor, {
      id: `imu-data-all/0/${offset}/0`,
      schema: 1,
      sensorId: sensor,
      seq: offset++,
      boot: "b",
      t: [1_020],
      ax: [9.8100004196167],
      accMag: [0],
    });
  }
  const messages = await eventually(() => received("one", mine), { until: (all) => all.length === 6 });
  const samples = messages.filter(({ type }) => type === "samples").map(({ data }) => data);
  expect(samples).toEqual([
    {
      sensorId: mine,
      id: expect.any(String),
      seq: expect.any(Number),
      t: [1_000, 1_010.5],
      ax: [9.81, 10.81],
      accMag: [0.1, 0.1],
    },
    { sensorId: mine, id: expect.any(String), seq: expect.any(Number), boot: "b", t: [1_020], ax: [9.81], accMag: [0] },
  ]);
  expect(messages.map(({ type }) => String(type)).toSorted()).toEqual([
    "inference",
    "inference",
    "samples",
    "samples",
    "session",
    "window",
  ]);
  const inferences = messages.filter(({ type }) => type === "inference").map(({ data }) => data);
  expect(inferences).toMatchObject([
    { label: "WALKING", probabilities: { WALKING: 0.75, SITTING: 0.25 } },
    { label: null, probabilities: null },
  ]);
  expect(messages.find(({ type }) => type === "session")!["data"]).toMatchObject({
    type: "started",
    sessionId: `${mine}@1000`,
  });
  expect(received("one", other)).toEqual([]);
});

test("a subscriber of a symbol gets its trades, bars and alerts, and no other symbol's", async () => {
  const [mine, other] = [uniqueName("MINE").toUpperCase(), uniqueName("OTHER").toUpperCase()];
  await subscribe("trader", "symbols", mine);
  const records = (symbol: string): [topic: string, value: Record<string, unknown>][] => [
    [topics.marketEnriched.name, enriched(symbol, 61_000, { offset: offset++ })],
    [topics.marketAggregated.name, barred(symbol, 0, { offset: offset++ })],
    [topics.marketAggregated.name, barred(symbol, 0, { offset: offset++, windowMs: 300_000, slideMs: 60_000 })],
    [topics.marketAggregated.name, barred(symbol, 0, { offset: offset++, revision: 1, close: null })],
    [topics.marketAlerts.name, alerted(symbol, 61_000, { offset: offset++ })],
    [topics.marketAlerts.name, alerted(symbol, 61_000, { offset: offset++, status: "withdrawn" })],
  ];
  for (const [topic, value] of records(other)) await publish(topic, other, value);
  const sent = records(mine);
  for (const [topic, value] of sent) await publish(topic, mine, value);
  const ofSymbol = (symbol: string): Record<string, unknown>[] =>
    gateway.messages("trader").filter(({ data }) => (data as { symbol?: string }).symbol === symbol);
  const messages = await eventually(() => ofSymbol(mine), { until: (all) => all.length >= sent.length });
  const type = (topic: string): string => ({ "market-enriched": "trade", "market-alerts": "alert" })[topic] ?? "bar";
  const inOrder = (all: readonly unknown[]): string[] => all.map((one) => JSON.stringify(one)).toSorted();
  expect(inOrder(messages)).toEqual(inOrder(sent.map(([topic, data]) => ({ type: type(topic), data }))));
  expect(ofSymbol(other)).toEqual([]);
});

test("a slow client loses trades, learns how many, and gets every bar and alert", async () => {
  const symbol = uniqueName("SLOW").toUpperCase();
  await subscribe("slow-trader", "symbols", symbol);
  let release = (): void => undefined;
  const stalled = new Promise<void>((resolve) => (release = resolve));
  gateway.behaviours.set("slow-trader", async (response) => {
    await stalled;
    response.writeHead(200).end();
  });
  // 2,000 trades of about 300 bytes are more than twice what may wait.
  const trades = Array.from({ length: 2_000 }, () => enriched(symbol, 5, { offset: offset++ }));
  await producer.send({
    topic: topics.marketEnriched.name,
    messages: trades.map((value) => ({ key: symbol, value: JSON.stringify(value) })),
  });
  const bars = Array.from({ length: 50 }, (_, i) => barred(symbol, i * 60_000, { offset: offset++ }));
  await producer.send({
    topic: topics.marketAggregated.name,
    messages: bars.map((value) => ({ key: symbol, value: JSON.stringify(value) })),
  });
  await publish(topics.marketAlerts.name, symbol, alerted(symbol, 5, { offset: offset++ }));
  await delay(200);
  release();
  const messages = await eventually(() => gateway.messages("slow-trader"), {
    until: (all) => {
      const count = (type: string): number => all.filter((message) => message["type"] === type).length;
      const lost = all
        .filter(({ type }) => type === "dropped")
        .reduce((sum, { data }) => sum + (data as { trades: number }).trades, 0);
      return count("bar") === 50 && count("alert") === 1 && count("trade") + lost >= 2_000;
    },
  });
  const dropped = messages.filter(({ type }) => type === "dropped").map(({ data }) => data);
  expect(dropped.length).toBeGreaterThan(0);
  expect(dropped[0]).toEqual({ symbol, trades: expect.any(Number) });
});

test("records of an aborted and repeated transaction are sent once, before the commit", async () => {
  const sensor = uniqueName("again");
  await subscribe("two", "sensors", sensor);
  const writer = kafka.producer({ transactionalId: uniqueName("live-test"), idempotent: true, maxInFlightRequests: 1 });
  await writer.connect();
  const windows = [0, 1, 2].map((i) => windowed(sensor, i * 1_000, { offset: offset++ }));
  const write = async (
    values: readonly Record<string, unknown>[],
  ): Promise<Awaited<ReturnType<typeof writer.transaction>>> => {
    const transaction = await writer.transaction();
    await transaction.send({
      topic: topics.aggregated.name,
      messages: values.map((value) => ({ key: sensor, value: JSON.stringify(value) })),
    });
    return transaction;
  };
  const first = await write(windows.slice(0, 2));
  // Sent although the transaction is open.
  await eventually(() => received("two", sensor), { until: (all) => all.length === 2 });
  await first.abort();
  await (await write(windows)).commit();
  const all = await eventually(() => received("two", sensor), { until: (messages) => messages.length >= 3 });
  expect(all.map(({ data }) => (data as { id: string }).id)).toEqual(windows.map(({ id }) => id));
  await writer.disconnect();
});

test("a session's subscriber gets what is within the session", async () => {
  const sensor = uniqueName("session");
  await subscribe("three", "sessions", `${sensor}@1000`);
  const send = (t: number[]): Promise<void> => publish(topics.transformed.name, sensor, packed(sensor, t), COLUMNS);
  await send([500, 990, 1_000, 1_010]);
  await send([1_020]);
  // More than the gap of 5 s later another session begins.
  await send([2_000, 7_001]);
  await send([7_010]);
  await publish(topics.aggregated.name, sensor, windowed(sensor, 0, { offset: offset++ }));
  await publish(topics.aggregated.name, sensor, windowed(sensor, 1_000, { offset: offset++ }));
  await publish(topics.aggregated.name, sensor, windowed(sensor, 8_000, { offset: offset++ }));
  await publish(topics.sessions.name, sensor, ended(sensor, 1_000, 2_000, 4, { offset: offset++ }));
  await publish(topics.sessions.name, sensor, started(sensor, 7_001, { offset: offset++ }));
  await publish(
    topics.sessions.name,
    sensor,
    ended(sensor, 900, 2_000, 5, { offset: offset++, supersedes: [`${sensor}@1000`] }),
  );
  const messages = await eventually(() => received("three", sensor), {
    until: (all) => all.filter(({ type }) => type === "session").length === 2,
  });
  await eventually(() => received("three", sensor), {
    until: (all) => all.filter(({ type }) => type === "window").length >= 1,
  });
  const all = received("three", sensor);
  expect(all.filter(({ type }) => type === "samples").flatMap(({ data }) => (data as { t: number[] }).t)).toEqual([
    1_000, 1_010, 1_020, 2_000,
  ]);
  expect(
    all.filter(({ type }) => type === "window").map(({ data }) => (data as { window: { start: number } }).window.start),
  ).toEqual([1_000]);
  expect(
    messages.filter(({ type }) => type === "session").map(({ data }) => (data as { sessionId: string }).sessionId),
  ).toEqual([`${sensor}@1000`, `${sensor}@900`]);
});

test("a connection that is gone is removed from the table", async () => {
  gateway.behaviours.set("leaver", gone);
  const sensor = uniqueName("gone");
  await dynamo.send(
    new UpdateItemCommand({
      TableName: table,
      Key: { connectionId: { S: "leaver" } },
      UpdateExpression: "ADD sensors :id",
      ExpressionAttributeValues: { ":id": { SS: [sensor] } },
    }),
  );
  await eventually(
    async () => {
      await publish(topics.aggregated.name, sensor, windowed(sensor, 0, { offset: offset++ }));
      return (
        await dynamo.send(
          new GetItemCommand({ TableName: table, Key: { connectionId: { S: "leaver" } }, ConsistentRead: true }),
        )
      ).Item;
    },
    { until: (item) => item === undefined },
  );
});

test("a connection over its limit gets its frames later, in order", async () => {
  const sensor = uniqueName("limited");
  await subscribe("four", "sensors", sensor);
  let refused = 0;
  gateway.behaviours.set("four", (response) => {
    if (++refused >= 3) gateway.behaviours.delete("four");
    return limited(response);
  });
  for (let i = 0; i < 20; i++)
    await publish(topics.aggregated.name, sensor, windowed(sensor, i * 1_000, { offset: offset++ }));
  const messages = await eventually(() => received("four", sensor), { until: (all) => all.length >= 20 });
  expect(messages.map(({ data }) => (data as { window: { start: number } }).window.start)).toEqual(
    Array.from({ length: 20 }, (_, i) => i * 1_000),
  );
  expect(refused).toBe(3);
});

test("a slow client loses samples, learns how many, and gets every window; no frame is over 32 KB", async () => {
  const sensor = uniqueName("slow");
  await subscribe("five", "sensors", sensor);
  let release = (): void => undefined;
  const stalled = new Promise<void>((resolve) => (release = resolve));
  gateway.behaviours.set("five", async (response) => {
    await stalled;
    response.writeHead(200).end();
  });
  // 100 messages of 1,000 readings are about 3 MB of JSON.
  for (let i = 0; i < 100; i++) {
    await publish(
      topics.transformed.name,
      sensor,
      packed(
        sensor,
        Array.from({ length: 1_000 }, (_, row) => i * 1_000 + row),
      ),
      COLUMNS,
    );
    await publish(topics.aggregated.name, sensor, windowed(sensor, i * 1_000, { offset: offset++ }));
  }
  await publish(topics.sessions.name, sensor, started(sensor, 0, { offset: offset++ }));
  await delay(200);
  release();
  const samplesOf = (all: readonly Record<string, unknown>[]): number =>
    all.filter(({ type }) => type === "samples").reduce((sum, { data }) => sum + (data as { t: number[] }).t.length, 0);
  const droppedOf = (all: readonly Record<string, unknown>[]): number =>
    all
      .filter(({ type }) => type === "dropped")
      .reduce((sum, { data }) => sum + (data as { samples: number }).samples, 0);
  // Topics are read apart, so the samples may come behind the session.
  const messages = await eventually(() => received("five", sensor), {
    until: (all) =>
      all.some(({ type }) => type === "session") &&
      all.filter(({ type }) => type === "window").length === 100 &&
      samplesOf(all) + droppedOf(all) >= 100_000,
  });
  const [samples, dropped] = [samplesOf(messages), droppedOf(messages)];
  expect(dropped).toBeGreaterThan(0);
  expect(samples + dropped).toBe(100_000);
  expect(Math.max(...gateway.frames.get("five")!.map((frame) => Buffer.byteLength(frame)))).toBeLessThan(32 * 1024);
});

test("started again, live continues at the end of the log", async () => {
  const sensor = uniqueName("restart");
  await subscribe("six", "sensors", sensor);
  expect(await stopLive(live)).toBe(0);
  await publish(topics.aggregated.name, sensor, windowed(sensor, 0, { offset: offset++ }));
  live = await startLive();
  await eventually(
    async () => {
      await publish(topics.aggregated.name, sensor, windowed(sensor, 1_000, { offset: offset++ }));
      return received("six", sensor);
    },
    { until: (messages) => messages.length > 0 },
  );
  expect(received("six", sensor).map(({ data }) => (data as { window: { start: number } }).window.start)).not.toContain(
    0,
  );
});

test("what a killed process has not sent comes from the one that takes over", async () => {
  // So many that each process has partitions of some of them.
  const sensors = Array.from({ length: 8 }, (_, i) => uniqueName(`takeover-${i}`));
  for (const sensor of sensors) await subscribe("seven", "sensors", sensor);
  const other = await startLive();
  let at = 0;
  const publishAll = async (): Promise<void> => {
    at++;
    // Ids of one source partition grow, but these sensors may have several.
    for (const [i, sensor] of sensors.entries())
      await publish(topics.aggregated.name, sensor, {
        ...windowed(sensor, at * 1_000),
        id: `imu-data-all/${100 + i}/${offset++}/0`,
      });
  };
  const windows = (): Set<string> => {
    const all = sensors.flatMap((sensor) => received("seven", sensor));
    return new Set(all.map(({ data }) => (data as { id: string }).id));
  };
  await publishAll();
  await eventually(windows, { until: ({ size }) => size === sensors.length });
  live.kill("SIGKILL");
  await once(live, "exit");
  // While the group waits for the process that is gone, nobody reads its partitions.
  for (let i = 0; i < 3; i++) await publishAll();
  await eventually(windows, { until: ({ size }) => size === at * sensors.length });
  live = other;
});
