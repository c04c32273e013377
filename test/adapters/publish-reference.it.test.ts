import { randomUUID } from "node:crypto";
import { beforeAll, expect, test } from "@jest/globals";
import { appendChange, withIdempotentProducer } from "../../adapters/control-records.ts";
import { createTopics } from "../../adapters/kafka-topics.ts";
import { publishedReference, publishReference } from "../../adapters/publish-reference.ts";
import { partsOf } from "../../domain/reference.ts";
import { topics } from "../../domain/topics.ts";
import { ReferenceData } from "../../processor/pipelines/market/reference-data.ts";
import { readTopic, testKafka } from "../bridge/harness.ts";
import { sharedServers } from "../support/servers.ts";

const { kafkaBrokers } = sharedServers();
const kafka = testKafka(kafkaBrokers);
const topic = `reference-${randomUUID()}`;

/** Reference data of three parts. */
function large(version: string): string {
  const flags = Object.fromEntries(
    Array.from({ length: 9_000 }, (_, i) => [`S${i}`, ["a flag of forty characters, to fill space", version]]),
  );
  return JSON.stringify({ version, flags });
}

/** The version in force at the end of each partition, for a task that takes each change once. */
async function inForce(): Promise<(string | null)[]> {
  const records = await readTopic(kafkaBrokers, topic);
  return [0, 1].map((partition) => {
    const data = new ReferenceData();
    const taken = new Set<string>();
    const own = records.filter((record) => record.partition === partition);
    for (const { headers } of own) {
      if (taken.has(headers["change"]!)) continue;
      expect(data.control(headers as Record<string, string>)).toBeNull();
      taken.add(headers["change"]!);
    }
    return data.inForce?.version ?? null;
  });
}

beforeAll(async () => {
  const admin = kafka.admin();
  await admin.connect();
  await createTopics(admin, { specs: [topics.changes, topics.progress] });
  await createTopics(admin, { specs: [{ ...topics.trades, name: topic, partitions: 2 }] });
  await admin.disconnect();
}, 60_000);

test("a version of several parts reaches each partition whole, and an interrupted one is finished", async () => {
  expect(await publishedReference(kafka, topic)).toBeNull();
  expect(await publishReference(kafka, topic, large("v1"))).toMatchObject({ partitions: 2, resumed: false });
  expect(await publishedReference(kafka, topic)).toMatchObject({ version: "v1", parts: 3, done: true });
  expect(await publishReference(kafka, topic, large("v1"))).toBeNull();
  expect(await inForce()).toEqual(["v1", "v1"]);

  // A command that dies within the first partition.
  const text = large("v2");
  const [first, second] = partsOf(text);
  const { sha256 } = (await publishedReference(kafka, topic))!;
  const value = JSON.stringify({ version: "v2", parts: 3, sha256: await sha256Of(text) });
  expect(sha256).not.toBe(await sha256Of(text));
  const records = [first, second].map((part, i) => ({
    "reference-version": "v2",
    part: String(i),
    parts: "3",
    reference: part!,
  }));
  await withIdempotentProducer(kafka, async (producer) => {
    const begun = { key: `${topic}/reference`, value: JSON.stringify({ id: "second", value, done: false }) };
    await producer.send({ topic: topics.changes.name, messages: [begun] });
    await appendChange(producer, [0], { topic, type: "reference", value, records }, "second");
  });
  expect(await inForce()).toEqual(["v1", "v1"]);
  expect(await publishReference(kafka, topic, text)).toEqual({ id: "second", partitions: 2, resumed: true });
  expect(await inForce()).toEqual(["v2", "v2"]);
}, 120_000);

async function sha256Of(text: string): Promise<string> {
  return Buffer.from(await crypto.subtle.digest("SHA-256", Buffer.from(text))).toString("hex");
}

test("mistakes are refused before anything is appended, all at once; a version keeps its content", async () => {
  const wrong = JSON.stringify({ version: "v 3", rates: { eur: 1, GBP: -1 } });
  const error = await publishReference(kafka, topic, wrong).catch((problem: unknown) => problem);
  expect(error).toMatchObject({ code: "arguments-invalid" });
  const { message } = error as Error;
  for (const problem of ["version: ", "rates.eur: ", "rates.GBP: "]) expect(message).toContain(problem);
  const other = JSON.stringify({ version: "v2", rates: { EUR: 2 } });
  await expect(publishReference(kafka, topic, other)).rejects.toMatchObject({ code: "settings-refused" });
  expect(await inForce()).toEqual(["v2", "v2"]);
}, 60_000);
