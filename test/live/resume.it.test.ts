import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { Partitioners, type Admin, type Cluster, type Producer } from "kafkajs";
import { WebSocket } from "ws";
import { openCluster } from "../../adapters/kafka-cluster.ts";
import { createTopics } from "../../adapters/kafka-topics.ts";
import { createKafka } from "../../adapters/kafka.ts";
import { keyPartitioner } from "../../adapters/key-partitioner.ts";
import { committedRecords } from "../../adapters/read-partition.ts";
import type { LiveMessage, WebSocketAnswer } from "../../domain/live-messages.ts";
import { resumeTopics, resumeTypes, type ResumeType } from "../../domain/resume.ts";
import { topics } from "../../domain/topics.ts";
import { inferred, started, windowed } from "../lambda/records.ts";
import { eventually } from "../support/eventually.ts";
import { sharedServers, uniqueName } from "../support/servers.ts";

const servers = sharedServers();
const env = {
  ...process.env,
  KAFKA_BROKERS: servers.kafkaBrokers,
  DYNAMODB_ENDPOINT: servers.dynamodbEndpoint,
  MONGODB_URI: servers.mongodbUri,
  CONNECTIONS_TABLE: uniqueName("resume"),
  LOG_LEVEL: "info",
};
const kafka = createKafka({ kafkaBrokers: servers.kafkaBrokers, kafkaAuth: "none", region: "local" }, "resume-test");
const partitionOf = keyPartitioner(topics.aggregated.name, topics.aggregated.partitions);
let admin: Admin;
let producer: Producer;
let cluster: Cluster;
let programs: ChildProcess[] = [];
let url: string;
/** Offsets of the readings that cause what is written: later than any other suite's. */
let offset = 2 * Date.now();

/** Starts a program, and waits until it has written a line. Returns the line. */
async function start(path: string, more: Readonly<Record<string, string>>, until: string): Promise<string> {
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(import.meta.dirname, "../..", path)],
    { env: { ...env, ...more }, stdio: ["ignore", "ignore", "pipe"] },
  );
  programs.push(child);
  let text = "";
  for await (const chunk of child.stderr as AsyncIterable<Buffer>) {
    text += chunk.toString();
    const line = text.split("\n").find((one) => one.includes(until));
    if (line === undefined) continue;
    child.stderr!.resume();
    return line;
  }
  throw new Error(`${path} ended: ${text}`);
}

beforeAll(async () => {
  admin = kafka.admin();
  cluster = openCluster(kafka);
  producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    transactionalId: uniqueName("resume"),
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await Promise.all([admin.connect(), producer.connect(), cluster.connect()]);
  await createTopics(admin);
  const ready = await start("local/gateway/main.ts", { API_PORT: "0", DASHBOARD_PORT: "0" }, "gateway is ready");
  const { port } = JSON.parse(ready) as { port: number };
  url = `ws://127.0.0.1:${port}/`;
  await start("live/main.ts", { WEBSOCKET_ENDPOINT: `http://127.0.0.1:${port}` }, "joined the group");
});
afterAll(async () => {
  for (const child of programs) {
    child.kill("SIGTERM");
    await once(child, "exit");
  }
  programs = [];
  await Promise.all([admin.disconnect(), producer.disconnect(), cluster.disconnect()]);
});

/** A client, and all that it has received. */
class Client {
  readonly messages: LiveMessage[] = [];
  readonly answers: WebSocketAnswer[] = [];
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (frame: Buffer) => {
      for (const message of [JSON.parse(frame.toString()) as LiveMessage | WebSocketAnswer].flat())
        if ("data" in message) this.messages.push(message);
        else this.answers.push(message);
    });
  }

  static async connect(origin?: string): Promise<Client> {
    const socket = new WebSocket(url, origin === undefined ? {} : { origin });
    clients.push(socket);
    const client = new Client(socket);
    await once(socket, "open");
    return client;
  }

  async send(message: object): Promise<WebSocketAnswer> {
    const before = this.answers.length;
    this.#socket.send(JSON.stringify(message));
    return eventually(() => this.answers[before]!, { until: (answer) => answer !== undefined });
  }

  /** Ends the connection without a word. */
  kill(): void {
    this.#socket.terminate();
  }

  of(type: LiveMessage["type"], sensorId: string): LiveMessage["data"][] {
    const ofSensor = this.messages.filter(({ data }) => "sensorId" in data && data.sensorId === sensorId);
    return ofSensor.filter((message) => message.type === type).map(({ data }) => data);
  }

  ids(type: ResumeType, sensorId: string): string[] {
    return this.of(type, sensorId).map((data) => (data as { id: string }).id);
  }

  /** Waits until it has been sent what it asked for. */
  async resumed(sensorId: string): Promise<LiveMessage["data"][]> {
    await eventually(() => this.of("resumed", sensorId), { until: (all) => all.length > 0 });
    return this.of("resumed", sensorId);
  }
}

let clients: WebSocket[] = [];
beforeEach(() => {
  for (const socket of clients) socket.terminate();
  clients = [];
});

/** A sensor of a partition that other suites' ids don't name. */
function newSensor(isWanted: (sensorId: string) => boolean = () => true): string {
  for (;;) {
    const sensorId = uniqueName("r");
    if (partitionOf(sensorId) !== 0 && isWanted(sensorId)) return sensorId;
  }
}

interface Output {
  readonly type: ResumeType;
  readonly sensorId: string;
  readonly value: Record<string, unknown> & { readonly id: string };
}

/** Records that the largest batch of a topic has room for. */
const BATCH = 500;
let written = 0;
/** What readings of a sensor cause. */
function output(type: ResumeType, sensorId: string): Output {
  const at = written++ * 1_000;
  const value = { window: windowed, session: started, inference: inferred }[type](sensorId, at, { offset: 0 });
  const id = `imu-data-all/${partitionOf(sensorId)}/${offset++}/0`;
  return { type, sensorId, value: { ...value, id } as Output["value"] };
}

/** Writes outputs in a transaction, as a processor does; `aborts`: the first time it fails. */
async function write(outputs: readonly Output[], aborts = false): Promise<void> {
  const transaction = await producer.transaction();
  try {
    for (const [type, ofType] of Map.groupBy(outputs, (one) => one.type))
      for (let from = 0; from < ofType.length; from += BATCH)
        await transaction.send({
          topic: resumeTopics[type],
          messages: ofType
            .slice(from, from + BATCH)
            .map(({ sensorId, value }) => ({ key: sensorId, value: JSON.stringify(value) })),
        });
  } catch (error) {
    await transaction.abort();
    throw error;
  }
  if (!aborts) return transaction.commit();
  await transaction.abort();
  await write(outputs);
}

/** The ids of a sensor that a topic holds. */
async function logged(type: ResumeType, sensorId: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const records of committedRecords(cluster, resumeTopics[type], partitionOf(sensorId)))
    for (const { key, value } of records)
      if (Buffer.from(key!).toString() === sensorId)
        ids.push((JSON.parse(Buffer.from(value!).toString()) as { id: string }).id);
  return ids;
}

test("a client whose connection is cut gets every window, session and inference once, in order", async () => {
  const mine = newSensor();
  const other = newSensor((sensorId) => partitionOf(sensorId) === partitionOf(mine));
  let isWriting = true;
  const flow = (async () => {
    for (let i = 0; isWriting; i++)
      await write(
        [mine, other].flatMap((sensorId) => resumeTypes.map((type) => output(type, sensorId))),
        i % 5 === 0,
      );
  })();
  const received: Record<ResumeType, string[]> = { window: [], session: [], inference: [] };
  for (let cut = 0; cut < 8; cut++) {
    const client = await Client.connect();
    const resume = Object.fromEntries(resumeTypes.map((type) => [type, received[type].at(-1)]));
    await client.send({ action: "subscribe", sensorId: mine, ...(cut > 0 ? { resume } : {}) });
    // Some are cut while they are sent again what they missed, some later.
    await eventually(() => resumeTypes.every((type) => client.of(type, mine).length > (cut % 2) * 20), {
      until: (all) => all,
    });
    client.kill();
    for (const type of resumeTypes) received[type].push(...client.ids(type, mine));
    await delay(100 * cut);
  }
  isWriting = false;
  await flow;
  const last = await Client.connect();
  const resume = Object.fromEntries(resumeTypes.map((type) => [type, received[type].at(-1)]));
  await last.send({ action: "subscribe", sensorId: mine, resume });
  await last.resumed(mine);
  for (const type of resumeTypes) {
    const ids = [...received[type], ...last.ids(type, mine)];
    expect(ids.length).toBeGreaterThan(100);
    // What is committed can be read a little later.
    await eventually(async () => {
      const all = await logged(type, mine);
      expect(ids).toEqual(all.slice(all.indexOf(ids[0]!)));
    });
  }
  expect(last.of("gap", mine)).toEqual([]);
  expect(last.of("window", other)).toEqual([]);
  // What is new follows.
  const newest = output("window", mine);
  await write([newest]);
  await eventually(() => expect(last.ids("window", mine).at(-1)).toBe(newest.value.id));
});

test("what can't be had is told of, each with the reason and where to read it, and what is new follows", async () => {
  const sensorId = newSensor();
  const partition = partitionOf(sensorId);
  // More than 2 MB of windows.
  const first = output("window", sensorId);
  const windows = Array.from({ length: 4_000 }, () => output("window", sensorId));
  const inferences = [output("inference", sensorId), output("inference", sensorId)];
  await write([first, ...windows, ...inferences]);
  const client = await Client.connect();
  const elsewhere = (partition % 9) + 1;
  const never = `imu-data-all/${partition}/${10 * offset}/0`;
  await client.send({
    action: "subscribe",
    sensorId,
    resume: { window: first.value.id, inference: never, session: `imu-data-all/${elsewhere}/7/0` },
  });
  await eventually(() => client.of("resumed", sensorId), { until: (all) => all.length === 2 });
  const ids = client.ids("window", sensorId);
  expect(ids.length).toBeGreaterThan(1_000);
  expect(ids.length).toBeLessThan(4_000);
  expect(ids).toEqual(windows.slice(-ids.length).map(({ value }) => value.id));
  const startOf = ({ value }: Output): number => (value["window"] as { start: number }).start;
  const [from, to] = [startOf(windows[0]!), startOf(windows.at(-ids.length)!)];
  expect(client.of("gap", sensorId)).toEqual(
    expect.arrayContaining([
      {
        sensorId,
        type: "window",
        reason: "too-many",
        after: first.value.id,
        before: ids[0],
        from,
        to,
        path: `/sensors/${sensorId}/windows?from=${from}&to=${to}`,
        table: "aggregated",
      },
      {
        sensorId,
        type: "inference",
        reason: "unknown",
        after: never,
        before: null,
        from: null,
        to: null,
        path: `/sensors/${sensorId}/activity`,
        table: "inference",
      },
      {
        sensorId,
        type: "session",
        reason: "moved",
        after: `imu-data-all/${elsewhere}/7/0`,
        before: null,
        from: null,
        to: null,
        path: `/sessions?sensorId=${sensorId}`,
        table: "sessions",
      },
    ]),
  );
  expect(client.of("gap", sensorId)).toHaveLength(3);
  const next = resumeTypes.map((type) => output(type, sensorId));
  await write(next);
  await eventually(() =>
    expect(resumeTypes.map((type) => client.ids(type, sensorId).at(-1))).toEqual(next.map(({ value }) => value.id)),
  );
});

test("of a type that it has seen nothing of, a client names an id of another one, and nothing is missing", async () => {
  const sensorId = newSensor();
  const [window, session] = [output("window", sensorId), output("session", sensorId)];
  await write([window]);
  const ask = { action: "subscribe", sensorId, resume: { window: window.value.id, session: window.value.id } };
  const before = await Client.connect();
  await before.send(ask);
  await before.resumed(sensorId);
  await write([session]);
  await eventually(() => expect(before.ids("session", sensorId)).toEqual([session.value.id]));
  const after = await Client.connect();
  await after.send(ask);
  await after.resumed(sensorId);
  expect(after.ids("session", sensorId)).toEqual([session.value.id]);
  expect([...before.of("gap", sensorId), ...after.of("gap", sensorId)]).toEqual([]);
});

test("what the log has let go is told of, and what it still has is sent", async () => {
  const sensorId = newSensor();
  const partition = partitionOf(sensorId);
  const [gone, left] = [output("window", sensorId), output("window", sensorId)];
  await write([gone]);
  // The end that Kafka names is behind what is committed a little later.
  await eventually(async () => {
    const offsets = await admin.fetchTopicOffsets(topics.aggregated.name);
    const { offset: end } = offsets.find((one) => one.partition === partition)!;
    await admin.deleteTopicRecords({ topic: topics.aggregated.name, partitions: [{ partition, offset: end }] });
    expect(await logged("window", sensorId)).toEqual([]);
  });
  await write([left]);
  const client = await Client.connect();
  // An id from before `gone`.
  const after = `imu-data-all/${partition}/5/0`;
  await client.send({ action: "subscribe", sensorId, resume: { window: after } });
  await client.resumed(sensorId);
  expect(client.ids("window", sensorId)).toEqual([left.value.id]);
  const { start } = left.value["window"] as { start: number };
  expect(client.of("gap", sensorId)).toMatchObject([
    { reason: "expired", after, before: left.value.id, from: null, to: start },
  ]);
});

test("an operator gets all sensors, and resumes them; others are refused", async () => {
  const sensors = [newSensor(), newSensor(), newSensor()];
  const client = await Client.connect();
  expect(await client.send({ action: "subscribe", sensorId: "*" })).toEqual({ type: "subscribed", sensorId: "*" });
  const writeAll = (): Promise<void> => write(sensors.map((sensorId) => output("window", sensorId)));
  const haveSeen = (one: Client): boolean => sensors.every((sensorId) => one.ids("window", sensorId).length > 0);
  await eventually(() => writeAll().then(() => haveSeen(client)), { until: (seen) => seen });
  client.kill();
  const seen = new Map(sensors.map((sensorId) => [sensorId, client.ids("window", sensorId)]));
  const window = sensors.map((sensorId) => seen.get(sensorId)!.at(-1)!);
  // The last id of each partition: sensors may share one.
  const last = [...Map.groupBy(window, (id) => id.split("/")[1]).values()].map((ids) => ids.toSorted().at(-1)!);
  await writeAll();
  const again = await Client.connect();
  await again.send({ action: "subscribe", sensorId: "*", resume: { window: last } });
  await eventually(() => again.of("resumed", "*"), { until: (all) => all.length === last.length });
  await writeAll();
  for (const sensorId of sensors) {
    await eventually(async () => {
      const all = await logged("window", sensorId);
      const ids = [...seen.get(sensorId)!, ...again.ids("window", sensorId)];
      expect(all.length).toBeGreaterThan(2);
      expect(ids).toEqual(all.slice(all.indexOf(ids[0]!)));
    });
  }
  expect(await again.send({ action: "unsubscribe", sensorId: "*" })).toEqual({ type: "unsubscribed", sensorId: "*" });
  const other = await Client.connect("https://example.com");
  expect(await other.send({ action: "subscribe", sensorId: "*" })).toMatchObject({
    type: "error",
    code: "operators-only",
  });
});
