import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { Cluster } from "kafkajs";
import { openCluster } from "../../../adapters/kafka-cluster.ts";
import { fetchRecords } from "../../../adapters/kafka-records.ts";
import { createKafka } from "../../../adapters/kafka.ts";
import { installServers } from "../../../local/servers/install.ts";
import { sharedServers, uniqueName } from "../../support/servers.ts";

const CODECS = ["gzip", "snappy", "lz4", "zstd"] as const;
/** Long and alike, so that each codec makes them shorter. */
const lines = Array.from({ length: 50 }, (_, i) => `${i} ${"the same reading again and again ".repeat(10)}`);

const { kafkaBrokers } = sharedServers();
const kafka = createKafka({ kafkaBrokers, kafkaAuth: "none", region: "" }, "codecs-test");
const topic = uniqueName("codecs");
let cluster: Cluster;

/** Kafka's own console producer writes the lines to the topic. */
async function produce(codec: string): Promise<void> {
  const folder = join(import.meta.dirname, "../../../.millrace/servers");
  const { java, classpath } = await installServers({
    folder,
    javaHome: process.env["JAVA_HOME"],
    onProgress: () => undefined,
  });
  const args = ["-Xmx128m", "-cp", classpath, "kafka.tools.ConsoleProducer", "--bootstrap-server", kafkaBrokers];
  const producer = spawn(java, [...args, "--topic", topic, "--compression-codec", codec, "--timeout", "500"], {
    stdio: ["pipe", "ignore", "inherit"],
  });
  producer.stdin.end(lines.map((line) => `${codec} ${line}\n`).join(""));
  const [code] = (await once(producer, "exit")) as [number];
  expect(code).toBe(0);
}

beforeAll(async () => {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true });
  await admin.disconnect();
  for (const codec of CODECS) await produce(codec);
  cluster = openCluster(kafka);
  await cluster.connect();
  await cluster.addTargetTopic(topic);
});
afterAll(async () => {
  await cluster?.disconnect();
});

const expected = CODECS.flatMap((codec) => lines.map((line) => `${codec} ${line}`));

test("the processor reads what Kafka's own producer has compressed, by each codec", async () => {
  const read: string[] = [];
  for (let offset = 0; read.length < expected.length;) {
    const { records, nextOffset } = await fetchRecords(cluster, topic, 0, offset);
    for (const { value } of records) read.push(Buffer.from(value!).toString());
    offset = nextOffset;
  }
  expect(read).toEqual(expected);
});
