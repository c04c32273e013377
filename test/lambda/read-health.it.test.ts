import { connect, createServer as createTcpServer, type AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Partitioners, type Admin, type Consumer, type Producer } from "kafkajs";
import { createTopics } from "../../adapters/kafka-topics.ts";
import { createKafka } from "../../adapters/kafka.ts";
import { pipelines } from "../../domain/pipelines.ts";
import { topics } from "../../domain/topics.ts";
import { groupReader } from "../../lambda/read-health/processor-group.ts";
import { sharedServers, uniqueName } from "../support/servers.ts";
import { restEvent } from "./events.ts";
import { startFunction } from "./function-process.ts";

const { kafkaBrokers, mongodbUri } = sharedServers();
const kafka = createKafka({ kafkaBrokers, kafkaAuth: "none", region: "local" }, "health-test", undefined, {
  retry: { retries: 5 },
});
const topic = uniqueName("health");
const groupId = uniqueName("health-group");
let admin: Admin;
let producer: Producer;
let consumer: Consumer;

beforeAll(async () => {
  admin = kafka.admin();
  producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  consumer = kafka.consumer({ groupId });
  await Promise.all([admin.connect(), producer.connect(), consumer.connect()]);
  await admin.createTopics({ topics: [{ topic, numPartitions: 2 }], waitForLeaders: true });
  await createTopics(admin);
});
afterAll(async () => {
  await Promise.all([admin.disconnect(), producer.disconnect(), consumer.disconnect()]);
});

test("a group's members and lag, from before its first member to after its last", async () => {
  const clients: Admin[] = [];
  const used = {
    admin: (options: object) => {
      const client = kafka.admin(options);
      clients.push(client);
      return client;
    },
  } as unknown as typeof kafka;
  const read = groupReader(used, groupId, topic);
  expect(await read()).toEqual({ state: "Dead", members: 0, lag: null });
  await producer.send({ topic, messages: Array.from({ length: 10 }, (_, i) => ({ value: "x", partition: i % 2 })) });
  await admin.setOffsets({
    groupId,
    topic,
    partitions: [
      { partition: 0, offset: "2" },
      { partition: 1, offset: "5" },
    ],
  });
  // Five records in each partition: 3 and 0 are left.
  expect(await read()).toEqual({ state: "Empty", members: 0, lag: 3 });
  await consumer.subscribe({ topic });
  const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
  await consumer.run({ autoCommit: false, eachBatch: async () => undefined });
  await joined;
  expect(await read()).toEqual({ state: "Stable", members: 1, lag: 3 });
  await Promise.all(clients.map((client) => client.disconnect()));
});

// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html: the first call makes the connections.
test("health waits longer in the first call of an execution environment", async () => {
  const { hostname, port } = new URL(mongodbUri.replace("mongodb:", "http:"));
  const slow = createTcpServer((socket) => {
    socket.on("error", () => undefined);
    // Longer than a later call may take.
    setTimeout(() => {
      const upstream = connect(Number(port), hostname);
      upstream.on("error", () => socket.destroy());
      socket.pipe(upstream).pipe(socket);
    }, 2_000);
  });
  await new Promise<void>((resolve) => slow.listen(0, "127.0.0.1", resolve));
  const fn = startFunction("read-health", {
    KAFKA_BROKERS: kafkaBrokers,
    MONGODB_URI: `mongodb://127.0.0.1:${(slow.address() as AddressInfo).port}/?retryWrites=false&directConnection=true`,
    MONGODB_DATABASE: uniqueName("health"),
  });
  try {
    const { body } = await fn.invoke<{ body: string }>(restEvent("/health"));
    expect(JSON.parse(body)).toMatchObject({ components: { mongodb: { status: "ok" } } });
  } finally {
    await fn.stop();
    slow.close();
  }
}, 30_000);

test("health answers within two seconds, even when no component does", async () => {
  const up = startFunction("read-health", {
    KAFKA_BROKERS: kafkaBrokers,
    MONGODB_URI: mongodbUri,
    MONGODB_DATABASE: uniqueName("health"),
  });
  const down = startFunction("read-health", {
    KAFKA_BROKERS: "127.0.0.1:9",
    MONGODB_URI: "mongodb://127.0.0.1:9/?retryWrites=false",
  });
  const hanging = startFunction("read-health", {
    KAFKA_BROKERS: "192.0.2.1:9092",
    MONGODB_URI: "mongodb://192.0.2.1/?retryWrites=false",
  });
  try {
    // The first call waits for the process to start, which does not count.
    await Promise.all([up, down, hanging].map((fn) => fn.invoke(restEvent("/health"))));
    const ask = async (
      fn: typeof up,
    ): Promise<{
      status: number;
      body: { status: string; components: Record<string, { status: string }> };
      ms: number;
    }> => {
      const start = performance.now();
      const { statusCode, body } = await fn.invoke<{ statusCode: number; body: string }>(restEvent("/health"));
      return { status: statusCode, body: JSON.parse(body) as never, ms: performance.now() - start };
    };
    const answers = await Promise.all([ask(up), ask(down), ask(hanging)]);
    for (const { ms } of answers) expect(ms).toBeLessThan(2_000);
    expect(answers[0].body.components).toMatchObject({ kafka: { status: "ok" }, mongodb: { status: "ok" } });
    for (const { status, body } of answers.slice(1)) {
      expect(status).toBe(503);
      expect(body).toMatchObject({
        status: "down",
        components: { kafka: { status: "down" }, mongodb: { status: "down" }, processor: { status: "down" } },
      });
    }
    expect([pipelines.sensor.consumerGroup, topics.imuData.name]).toEqual([
      "millrace-processor-sensor",
      "imu-data-all",
    ]);
  } finally {
    await Promise.all([up.stop(), down.stop(), hanging.stop()]);
  }
}, 30_000);
