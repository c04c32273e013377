import { execFileSync, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { ConfigResourceTypes, type Admin } from "kafkajs";
import { connectAsync, type MqttClient } from "mqtt";
import { createTopics } from "../../adapters/kafka-topics.ts";
import type { ImuMessage } from "../../domain/imu-message.ts";
import { decodePackedImu } from "../../domain/packed-imu.ts";
import { startServers, type Servers } from "../../local/servers/index.ts";
import { eventually } from "../support/eventually.ts";
import { countRecords, readTopic, startProgram, testKafka, type Program, type StoredRecord } from "./harness.ts";

jest.setTimeout(240_000);

/** How long Kafka and MQTT may take to come back after `kill -9`. */
const LIMIT_MS = 60_000;
const INPUT = "imu-data-all";
const DEAD_LETTERS = "dead-letter";
let folder: string;
let servers: Servers;
let bridge: Program;
let device: MqttClient;

function startBridge(settings: Record<string, string> = {}): Program {
  return startProgram(
    "bridge/main.ts",
    [],
    { KAFKA_BROKERS: servers.kafkaBrokers, MQTT_URL: servers.mqttUrl, ...settings },
    join(folder, "bridge.log"),
  );
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace-bridge-"));
  servers = await startServers({ which: ["kafka", "mqtt"], dataDir: folder });
  const admin = testKafka(servers.kafkaBrokers).admin();
  await admin.connect();
  await createTopics(admin);
  await admin.disconnect();
  bridge = startBridge();
  device = await connectAsync(servers.mqttUrl, { protocolVersion: 5 });
  // The bridge ticks once it has subscribed.
  await eventually(() => countRecords(servers.kafkaBrokers, INPUT), { until: (count) => count > 0, limitMs: LIMIT_MS });
});

afterAll(async () => {
  await device?.endAsync();
  await bridge?.end("SIGTERM");
  await servers?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

function stored(topic: string, key: string, count = 1): Promise<StoredRecord[]> {
  return eventually(
    async () => (await readTopic(servers.kafkaBrokers, topic)).filter((record) => record.key?.toString() === key),
    { until: ({ length }) => length >= count, limitMs: LIMIT_MS },
  );
}

describe("what a device publishes", () => {
  test("is in Kafka with its bytes, its content type and its trace", async () => {
    const payload = randomBytes(1_000);
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    await device.publishAsync("imu/trace:1", payload, {
      qos: 1,
      properties: { contentType: "application/x-millrace-imu", userProperties: { traceparent } },
    });
    const [record] = await stored(INPUT, "trace:1");
    expect(record!.value!.equals(payload)).toBe(true);
    expect(record!.headers).toEqual({
      "content-type": "application/x-millrace-imu",
      traceparent,
      "ingest-ms": expect.stringMatching(/^\d{13}$/),
    });
  });

  test("without a content type gets none, and without a trace gets a new one", async () => {
    await device.publishAsync("imu/plain", "not even JSON", { qos: 1 });
    const [record] = await stored(INPUT, "plain");
    expect(record!.value!.toString()).toBe("not even JSON");
    expect(Object.keys(record!.headers).sort()).toEqual(["ingest-ms", "traceparent"]);
    expect(record!.headers["traceparent"]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  });

  test("may be empty, and the bridge keeps running", async () => {
    await device.publishAsync("imu/empty", Buffer.alloc(0), { qos: 1 });
    const [record] = await stored(INPUT, "empty");
    expect(record!.value).toEqual(Buffer.alloc(0));
  });

  test("goes to the partition that Kafka's own partitioner gives its key", async () => {
    for (let i = 0; i < 50; i++) device.publish("imu/s01-sw", String(i), { qos: 1 });
    const records = await stored(INPUT, "s01-sw", 50);
    expect(new Set(records.map(({ partition }) => partition))).toEqual(new Set([partitionByMurmur2("s01-sw", 10)]));
    expect(new Set(records.map(({ value }) => value!.toString())).size).toBe(50);
  });
});

/** Murmur2 as in org.apache.kafka.common.utils.Utils, written from its description (Appleby) with 64-bit integers. */
function partitionByMurmur2(key: string, partitions: number): number {
  const data = Buffer.from(key);
  const [m, mask] = [0x5bd1e995n, 0xffffffffn];
  let h = 0x9747b28cn ^ BigInt(data.length);
  let i = 0;
  for (; i + 4 <= data.length; i += 4) {
    let k = (BigInt(data.readUInt32LE(i)) * m) & mask;
    k = ((k ^ (k >> 24n)) * m) & mask;
    h = ((h * m) & mask) ^ k;
  }
  const rest = data.subarray(i);
  if (rest.length > 0) {
    for (const [n, byte] of rest.entries()) h ^= BigInt(byte) << BigInt(8 * n);
    h = (h * m) & mask;
  }
  h = ((h ^ (h >> 13n)) * m) & mask;
  h ^= h >> 15n;
  return Number((h & 0x7fffffffn) % BigInt(partitions));
}

describe("a message that Kafka cannot take as it is", () => {
  test.each([
    ["imu/a/b", "a/b"],
    ["imu/a b", "a b"],
    [`imu/${"x".repeat(129)}`, "x".repeat(129)],
    ["imu/", ""],
  ])("from %j is a dead letter, invalid-sensor-id", async (topic, key) => {
    const payload = randomBytes(100);
    await device.publishAsync(topic, payload, { qos: 1, properties: { contentType: "application/json" } });
    const record = (await stored(DEAD_LETTERS, key)).find(({ headers }) => headers["mqtt-topic"] === topic);
    expect(record!.value!.equals(payload)).toBe(true);
    expect(record!.headers).toMatchObject({
      "error-code": "invalid-sensor-id",
      "error-message": expect.stringContaining(topic.slice(0, 50)),
      stage: "bridge",
      "content-type": "application/json",
    });
  });

  test("because it has 300,000 bytes is a dead letter, payload-too-large, verbatim", async () => {
    const payload = randomBytes(300_000);
    await device.publishAsync("imu/large", payload, { qos: 1 });
    const [record] = await stored(DEAD_LETTERS, "large");
    expect(record!.value!.equals(payload)).toBe(true);
    expect(record!.headers).toMatchObject({
      "error-code": "payload-too-large",
      stage: "bridge",
      "mqtt-topic": "imu/large",
    });
    expect(record!.headers).not.toHaveProperty("full-size");
  });

  test("because it has 2,000,000 bytes is cut at 900 KB, with its full size and SHA-256", async () => {
    const payload = randomBytes(2_000_000);
    await device.publishAsync("imu/huge", payload, { qos: 1 });
    const [record] = await stored(DEAD_LETTERS, "huge");
    expect(record!.value!.equals(payload.subarray(0, 921_600))).toBe(true);
    expect(record!.headers).toMatchObject({
      "full-size": "2000000",
      "full-sha256": createHash("sha256").update(payload).digest("hex"),
    });
  });
});

async function withAdmin<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = testKafka(servers.kafkaBrokers).admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

function limitRecords(bytes: number): Promise<unknown> {
  const configEntries = [{ name: "max.message.bytes", value: String(bytes) }];
  return withAdmin((admin) =>
    admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: INPUT, configEntries }],
    }),
  );
}

test("a device is notified of its refused messages, and of no others and no old ones", async () => {
  const received: unknown[] = [];
  const listener = await connectAsync(servers.mqttUrl, { protocolVersion: 5 });
  listener.on("message", (topic, payload) => received.push([topic, JSON.parse(payload.toString())]));
  await listener.subscribeAsync(["rejected/notified:1", "rejected/notified:3"]);
  const producer = testKafka(servers.kafkaBrokers).producer();
  await producer.connect();
  try {
    // As the processor writes it; the older one would have come first.
    const headers = {
      "error-code": "invalid-json",
      "error-message": "unexpected end",
      "source-topic": INPUT,
      "source-partition": "0",
      "source-offset": "0",
      stage: "decode",
    };
    const letterOf = (key: string, timestamp: number): Parameters<typeof producer.send>[0]["messages"][number] => ({
      key,
      value: "{",
      headers,
      timestamp: String(timestamp),
    });
    await producer.send({
      topic: DEAD_LETTERS,
      messages: [
        letterOf("notified:1", Date.now() - 120_000),
        letterOf("notified:2", Date.now()),
        letterOf("notified:1", Date.now()),
      ],
    });
    await eventually(async () => received, { until: ({ length }) => length > 0, limitMs: LIMIT_MS });
    expect(received).toEqual([
      ["rejected/notified:1", { code: "invalid-json", message: "unexpected end", seq: null, boot: null }],
    ]);
    received.length = 0;
    await device.publishAsync("imu/notified:3", Buffer.alloc(200_000, 0x20), { qos: 1 });
    await eventually(async () => received, { until: ({ length }) => length > 0, limitMs: LIMIT_MS });
    expect(received).toEqual([
      ["rejected/notified:3", expect.objectContaining({ code: "payload-too-large", seq: null, boot: null })],
    ]);
  } finally {
    await Promise.all([producer.disconnect(), listener.endAsync()]);
  }
});

test("a record that the topic refuses by its size is a dead letter, and what came with it is stored", async () => {
  await limitRecords(2_000);
  try {
    const payload = randomBytes(10_000);
    await Promise.all([
      ...Array.from({ length: 20 }, (_, i) => device.publishAsync("imu/small", String(i), { qos: 1 })),
      device.publishAsync("imu/refused", payload, { qos: 1 }),
    ]);
    const [letter] = await stored(DEAD_LETTERS, "refused");
    expect(letter!.value!.equals(payload)).toBe(true);
    expect(letter!.headers).toMatchObject({
      "error-code": "refused-by-kafka",
      stage: "bridge",
      "mqtt-topic": "imu/refused",
    });
    const small = await stored(INPUT, "small", 20);
    expect(new Set(small.map(({ value }) => value!.toString())).size).toBe(20);
  } finally {
    await limitRecords(1_048_588);
  }
});

test("without a dead-letter topic data is stored, and dead letters are as soon as there is one", async () => {
  await withAdmin((admin) => admin.deleteTopics({ topics: [DEAD_LETTERS] }));
  await device.publishAsync("imu/no/letter", "refused", { qos: 1 });
  for (let i = 0; i < 10; i++) await device.publishAsync("imu/good", String(i), { qos: 1 });
  await stored(INPUT, "good", 10);
  await withAdmin(createTopics);
  const [letter] = await stored(DEAD_LETTERS, "no/letter");
  expect(letter!.value!.toString()).toBe("refused");
});

test("a bridge of another environment on the same broker takes its own messages, and no other", async () => {
  const other = startBridge({ MQTT_CLIENT_ID: "other", MQTT_PREFIX: "staging", MQTT_SHARE_GROUP: "other" });
  try {
    const ticks = (): Promise<number> => countRecords(servers.kafkaBrokers, INPUT);
    const before = await ticks();
    // Two bridges tick: 20 records a second, in 10 partitions.
    await eventually(async () => (await ticks()) - before, { until: (count) => count > 60, limitMs: LIMIT_MS });
    const payloads = Array.from({ length: 50 }, (_, i) => String(i));
    await Promise.all(payloads.map((payload) => device.publishAsync("staging/imu/theirs", payload, { qos: 1 })));
    await Promise.all(payloads.map((payload) => device.publishAsync("imu/ours", payload, { qos: 1 })));
    for (const key of ["theirs", "ours"]) {
      const found = await stored(INPUT, key, payloads.length);
      expect(found.map(({ value }) => Number(value)).toSorted((a, b) => a - b)).toEqual(payloads.map(Number));
    }
    await device.publishAsync("staging/imu/no/id", "x", { qos: 1 });
    const [letter] = await stored(DEAD_LETTERS, "no/id");
    expect(letter!.headers).toMatchObject({ "error-code": "invalid-sensor-id", "mqtt-topic": "imu/no/id" });
  } finally {
    await other.end("SIGTERM");
  }
});

test("what is turned away while Kafka is down arrives when it is back", async () => {
  await bridge.end("SIGTERM");
  bridge = startBridge({ WAITING_BYTES: String(2 ** 20) });
  await device.publishAsync("imu/before", "x", { qos: 1 });
  await stored(INPUT, "before");
  await servers.server("kafka").kill();
  const payloads = Array.from({ length: 40 }, (_, i) => Buffer.alloc(100_000, `${i} `));
  await Promise.all(payloads.map((payload) => device.publishAsync("imu/waiting", payload, { qos: 1 })));
  await servers.server("kafka").start();
  await eventually(
    async () => {
      const found = (await readTopic(servers.kafkaBrokers, INPUT)).filter(({ key }) => key?.toString() === "waiting");
      const missing = payloads.filter((payload) => !found.some(({ value }) => value!.equals(payload)));
      expect(missing).toHaveLength(0);
    },
    { limitMs: LIMIT_MS },
  );
  expect(readFileSync(join(folder, "bridge.log"), "utf8")).toContain("connecting anew");
  await bridge.end("SIGTERM");
  bridge = startBridge();
});

function hasThreeTicksInEachPartition(records: readonly StoredRecord[]): boolean {
  const partitions = Array.from({ length: 10 }, (_, partition) => partition);
  return partitions.every((partition) => records.filter((record) => record.partition === partition).length >= 3);
}

test("every partition of the sensor pipeline's input gets a tick a second, and no other topic does", async () => {
  const ticks = await eventually(
    async () => (await readTopic(servers.kafkaBrokers, INPUT)).filter(({ headers }) => headers["type"] === "tick"),
    { until: (records) => hasThreeTicksInEachPartition(records), limitMs: LIMIT_MS },
  );
  for (const { key, value, headers } of ticks)
    expect({ key, value, headers }).toEqual({ key: null, value: null, headers: { type: "tick" } });
  expect(await countRecords(servers.kafkaBrokers, "market-trades")).toBe(0);
});

const installed = ["mosquitto_pub", "kcat"].every((tool) => spawnSync("which", [tool]).status === 0);
(installed ? test : test.skip)("mosquitto_pub's message is what kcat reads", async () => {
  const file = join(folder, "payload.json");
  writeFileSync(
    file,
    '{"seq": 1,\n "t": 1657533977813, "hz": 100, "samples": [[0.1, -0.25, 9.80665, 1e-3, 0, 0]]}\u00e9\n',
  );
  const { hostname, port } = new URL(servers.mqttUrl);
  execFileSync("mosquitto_pub", [
    "-h",
    hostname,
    "-p",
    port,
    "-V",
    "mqttv5",
    "-q",
    "1",
    "-t",
    "imu/foreign",
    "-f",
    file,
    "-D",
    "publish",
    "content-type",
    "application/json",
  ]);
  await stored(INPUT, "foreign");
  const json = execFileSync("kcat", ["-b", servers.kafkaBrokers, "-C", "-q", "-t", INPUT, "-e", "-J"], {
    encoding: "utf8",
    maxBuffer: 1e8,
  });
  const records = json
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { key: string; payload: string; headers?: string[] });
  const record = records.find(({ key }) => key === "foreign")!;
  expect(record.payload).toBe(readFileSync(file, "utf8"));
  expect(record.headers).toEqual(expect.arrayContaining(["content-type", "application/json"]));
});

interface SimulatorReport {
  readonly boot: string;
  readonly sensors: Readonly<Record<string, { readonly messages: number; readonly samples: number }>>;
}

/**
 * Distinct messages and their samples of one boot, by sensor: what the processor counts, as (sensor, boot, seq)
 * identify a message.
 */
async function distinct(boot: string): Promise<Record<string, { messages: number; samples: number }>> {
  const seen = new Map<string, Map<number, number>>();
  for (const { key, value } of await readTopic(servers.kafkaBrokers, INPUT)) {
    if (!key || !value?.includes(`"boot":"${boot}"`)) continue;
    const message = JSON.parse(value.toString()) as { seq: number; samples: unknown[] };
    const sensor = seen.get(key.toString()) ?? new Map<number, number>();
    seen.set(key.toString(), sensor.set(message.seq, message.samples.length));
  }
  return Object.fromEntries(
    [...seen].map(([sensor, messages]) => [
      sensor,
      { messages: messages.size, samples: [...messages.values()].reduce((a, b) => a + b, 0) },
    ]),
  );
}

test("recordings arrive with every sample as it was recorded, at times moved to now, in both forms", async () => {
  const rows = [
    "-4.160221099853516,-1.1829516887664795,-8.990732192993164," +
      "0.0028251686599105597,-0.013896775431931019,-0.03214583545923233",
    "1,2,3,4,5,6",
    "0.5,0.25,0.125,-0.5,-0.25,-0.125",
  ];
  const offsets = [0, 51, 160];
  mkdirSync(join(folder, "DATA", "s99"), { recursive: true });
  for (const execution of ["01", "02"]) {
    const lines = rows.map((row, i) => `${row},${1657533977813 + offsets[i]!},WALKING`);
    writeFileSync(
      join(folder, "DATA", "s99", `s99_${execution}_sw.csv`),
      ["x_acc,y_acc,z_acc,x_gyro,y_gyro,z_gyro,timestamp,label", ...lines, ""].join("\n"),
    );
  }
  for (const format of ["json", "packed"] as const) {
    const reportFile = join(folder, `recorded-${format}.json`);
    const before = Date.now();
    const simulator = startProgram(
      "simulator/main.ts",
      ["--data", folder, "--once", "--speed", "10", "--format", format, "--report", reportFile],
      { MQTT_URL: servers.mqttUrl },
      join(folder, "simulator.log"),
    );
    expect((await simulator.exited).code).toBe(0);
    const report = JSON.parse(readFileSync(reportFile, "utf8")) as SimulatorReport;
    const decode = ({ value, headers }: StoredRecord): ImuMessage =>
      headers["content-type"] === "application/x-millrace-imu"
        ? (decodePackedImu(value!) as ImuMessage)
        : (JSON.parse(value!.toString()) as ImuMessage);
    // 100 ms of readings a message: two messages a recording.
    const found = await eventually(
      async () =>
        (await readTopic(servers.kafkaBrokers, INPUT))
          .filter(({ key }) => key?.toString() === "s99-sw")
          .map(decode)
          .filter(({ boot }) => boot === report.boot),
      { until: ({ length }) => length >= 4, limitMs: LIMIT_MS },
    );
    const messages = found.toSorted((a, b) => a.seq - b.seq);
    const recorded = rows
      .map((row) => row.split(",").map(Number))
      .map((row) => (format === "packed" ? row.map(Math.fround) : row));
    expect(messages.flatMap(({ samples }) => samples)).toEqual([...recorded, ...recorded]);
    const times = messages.flatMap(({ t }) => t as number[]);
    expect(times.map((time) => time - times[0]!)).toEqual([0, 51, 160, 6_660, 6_711, 6_820]);
    expect(times.at(-1)!).toBeLessThanOrEqual(Date.now());
    expect(times.at(-1)!).toBeGreaterThan(before);
    expect(report.sensors["s99-sw"]!).toMatchObject({
      messages: 4,
      samples: 6,
      executions: [
        { name: "s99_01_sw.csv", start: times[0], end: times[2], samples: 3 },
        { name: "s99_02_sw.csv", start: times[3], end: times[5], samples: 3 },
      ],
    });
  }
});

test("no acknowledged message is lost when bridge, Kafka and MQTT broker are killed during publishing", async () => {
  const reportFile = join(folder, "report.json");
  const simulator = startProgram(
    "simulator/main.ts",
    [
      "--sensors",
      "20",
      "--rate",
      "50",
      "--duration",
      "25",
      "--pause-ms",
      "0",
      "--report",
      reportFile,
      "--faults",
      "duplicate=0.02,disconnect=0.002",
    ],
    { MQTT_URL: servers.mqttUrl },
    join(folder, "simulator.log"),
  );
  const more = async (count: number): Promise<void> => {
    const stored = (): Promise<number> => countRecords(servers.kafkaBrokers, INPUT);
    const before = await eventually(stored, { limitMs: LIMIT_MS });
    await eventually(stored, { until: (now) => now >= before + count, limitMs: LIMIT_MS });
  };
  await more(300);
  await bridge.end("SIGKILL");
  bridge = startBridge();
  await more(300);
  await servers.server("kafka").kill();
  await servers.server("kafka").start();
  await more(300);
  await servers.server("mqtt").kill();
  await servers.server("mqtt").start();
  await more(300);
  await bridge.end("SIGTERM");
  bridge = startBridge();

  expect((await simulator.exited).code).toBe(0);
  const report = JSON.parse(readFileSync(reportFile, "utf8")) as SimulatorReport;
  const expected = Object.fromEntries(
    Object.entries(report.sensors).map(([sensor, { messages, samples }]) => [sensor, { messages, samples }]),
  );
  expect(Object.keys(expected)).toHaveLength(20);
  await eventually(async () => expect(await distinct(report.boot)).toEqual(expected), { limitMs: LIMIT_MS });
});
