import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { Kafka, Producer } from "kafkajs";
import { createTopics } from "../../../adapters/kafka-topics.ts";
import { createKafka } from "../../../adapters/kafka.ts";
import { startServers, type Servers } from "../../../local/servers/index.ts";
import { freePort, killPrograms, startProgram } from "../../local/support/program.ts";
import { eventually } from "../../support/eventually.ts";
import { windowed } from "../records.ts";

const LIMIT_MS = 180_000;
const T = 1_657_533_977_000;
const TOPIC = "sensor-data-aggregated";

let folder: string;
let servers: Servers;
let kafka: Kafka;
let producer: Producer;
const programs: Awaited<ReturnType<typeof startProgram>>[] = [];

/** Its groups and topics have fixed names, so the suite has a broker of its own. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace-audit-"));
  servers = await startServers({ which: ["kafka"], dataDir: folder });
  kafka = createKafka({ kafkaBrokers: servers.kafkaBrokers, kafkaAuth: "none", region: "local" }, "audit-test");
  const admin = kafka.admin();
  await admin.connect();
  await createTopics(admin);
  await admin.disconnect();
  producer = kafka.producer({ transactionalId: "audit-test", maxInFlightRequests: 1, idempotent: true });
  await producer.connect();
}, LIMIT_MS);
afterAll(async () => {
  await killPrograms(programs);
  await producer.disconnect();
  await servers.stop();
  rmSync(folder, { recursive: true, force: true });
}, LIMIT_MS);

/** Writes the windows of these seconds in a transaction, whose input offsets are 10 × second. */
async function write(seconds: readonly number[], end: "commit" | "abort" = "commit"): Promise<void> {
  const transaction = await producer.transaction();
  const messages = seconds.map((second) => ({
    partition: 3,
    key: "s1",
    value: JSON.stringify(windowed("s1", T + second * 1_000, { offset: 10 * second })),
    headers: { "ingest-ms": String(Date.now() - 5) },
  }));
  await transaction.send({ topic: TOPIC, messages });
  await transaction[end]();
}

async function start(): Promise<{ audited: () => Promise<Record<string, unknown>> }> {
  const port = await freePort();
  programs.push(
    await startProgram("local/event-source/main.ts", {
      KAFKA_BROKERS: servers.kafkaBrokers,
      // Nobody listens there: the other functions fail, and the audit does not care.
      MONGODB_URI: `mongodb://127.0.0.1:${await freePort()}/?serverSelectionTimeoutMS=1000`,
      ON_FAILURE_DIR: join(folder, "on-failure"),
      HEALTH_PORT: String(port),
    }),
  );
  return {
    audited: async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { accept: "application/json" } });
      const all = (await answer.json()) as Record<string, unknown>;
      return Object.fromEntries(Object.entries(all).filter(([name]) => name.startsWith("audit-output.")));
    },
  };
}

test(
  "the event source shows what an outsider sees of a broker's transactions",
  async () => {
    const { audited } = await start();
    // One transaction after the other: between their records are the brokers' own, which end them.
    for (const seconds of [[0, 1], [2], [3, 4]]) await write(seconds);
    // Windows 5 and 6 are lost. What was aborted is read, too, and then read again.
    await write([7, 8], "abort");
    await write([7, 8, 9]);
    await write([400]);
    const figures = await eventually(audited, { until: (now) => now["audit-output.records"] === 11 });
    expect(figures).toMatchObject({
      "audit-output.repeated-ids": 2,
      "audit-output.sensor-missing-windows": 2,
      "audit-output.open-gaps": 0,
      "audit-output.keys": 1,
      "audit-output.sensor-first-readings": 900,
      "audit-output.sensor-readings": 900,
      "audit-output.sensor-ingest-to-output": { count: 9 },
      "audit-output.sensor-ingest-to-read": { count: 9 },
    });
    // The offsets of transactions' ends are no sign that somebody else has read.
    expect(Object.keys(figures)).not.toContain("audit-output.begun-anew");
  },
  LIMIT_MS,
);
