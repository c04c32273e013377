import { randomUUID } from "node:crypto";
import { beforeAll, expect, test } from "@jest/globals";
import { applySettings, settingsInForce } from "../../adapters/apply-settings.ts";
import { appendChange, makeChange, withIdempotentProducer } from "../../adapters/control-records.ts";
import { createTopics } from "../../adapters/kafka-topics.ts";
import { readSettingsHeader, settingsHeader } from "../../domain/controls.ts";
import { defaultSemantics } from "../../domain/semantics.ts";
import { topics } from "../../domain/topics.ts";
import { readTopic, testKafka } from "../bridge/harness.ts";
import { sharedServers } from "../support/servers.ts";

const { kafkaBrokers } = sharedServers();
const kafka = testKafka(kafkaBrokers);
const fiveSeconds = { ...defaultSemantics, windowMs: 5_000, slideMs: 5_000 };
const options = { checkTasks: false };

async function newTopic(): Promise<string> {
  const name = `settings-${randomUUID()}`;
  const admin = kafka.admin();
  await admin.connect();
  await createTopics(admin, { specs: [topics.changes, topics.progress] });
  await createTopics(admin, { specs: [{ ...topics.imuData, name, partitions: 3 }] });
  await admin.disconnect();
  return name;
}

/** Window and change of each record, by partition. */
async function recordsOf(topic: string): Promise<string[]> {
  const records = await readTopic(kafkaBrokers, topic);
  return records
    .map(({ partition, headers }) => {
      const { windowMs } = readSettingsHeader(headers["settings"]).settings!;
      return `${partition} ${headers["type"]} ${windowMs} ${headers["change"]}`;
    })
    .sort();
}

let topic: string;
beforeAll(async () => {
  topic = await newTopic();
}, 60_000);

test("settings are appended to each partition once, and an interrupted change is finished under its name", async () => {
  expect(await settingsInForce(kafka, topic)).toEqual({ settings: defaultSemantics, change: null, done: true });
  const first = await applySettings(kafka, topic, defaultSemantics, { ...options, id: "first" });
  expect(first).toEqual({ id: "first", partitions: 3, resumed: false });
  expect(await applySettings(kafka, topic, defaultSemantics, options)).toBeNull();
  const change = { topic, type: "settings", value: settingsHeader(fiveSeconds) } as const;
  // A command that dies behind the first partition.
  await expect(
    withIdempotentProducer(kafka, async (producer) => {
      await producer.send({
        topic: topics.changes.name,
        messages: [
          { key: `${topic}/settings`, value: JSON.stringify({ id: "second", value: change.value, done: false }) },
        ],
      });
      await appendChange(producer, [0], change, "second");
      throw new Error("killed");
    }),
  ).rejects.toThrow("killed");
  expect(await settingsInForce(kafka, topic)).toMatchObject({ change: "second", done: false });
  expect(await applySettings(kafka, topic, fiveSeconds, options)).toEqual({
    id: "second",
    partitions: 3,
    resumed: true,
  });
  expect(await settingsInForce(kafka, topic)).toEqual({ settings: fiveSeconds, change: "second", done: true });
  const each = (record: string): string[] => [0, 1, 2].map((partition) => `${partition} settings ${record}`);
  expect(await recordsOf(topic)).toEqual(
    [...each("1000 first"), "0 settings 5000 second", ...each("5000 second")].sort(),
  );
  expect((await makeChange(kafka, change)).resumed).toBe(false);
}, 120_000);

test("the watermark's scope is refused before anything is appended", async () => {
  const other = { ...fiveSeconds, watermark: "partition" } as const;
  await expect(applySettings(kafka, topic, other, options)).rejects.toMatchObject({ code: "settings-refused" });
}, 60_000);
