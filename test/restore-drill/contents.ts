import { GetRecordCommand } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import type { Kafka } from "kafkajs";
import { MongoClient } from "mongodb";
import { readSettings } from "../../config/settings.ts";
import { featureGroupName, collections } from "../../domain/names.ts";
import { pipelines } from "../../domain/pipelines.ts";
import { topics } from "../../domain/topics.ts";
import { featureStoreClient } from "../../lambda/shared/feature-store.ts";
import { LOCAL_ENVIRONMENT } from "../../local/programs.ts";
import { outputLine } from "../../processor/commands/replay/lines.ts";
import { readTopic } from "../support/accounting.ts";

/** What the drill compares: values by name, such as a document by `<collection> <id>`. */
export type Contents = ReadonlyMap<string, string>;

/** Outputs that stores and readers have, all but the live view's. */
export const restoredTopics = pipelines.sensor.outputs
  .filter((key) => key !== "transformed")
  .map((key) => topics[key].name);

/** Every output in Kafka by its place among those of its partition, as `replay` prints it. */
export async function outputsIn(kafka: Kafka): Promise<Contents> {
  const contents = new Map<string, string>();
  for (const topic of restoredTopics)
    for (const [partition, records] of (await readTopic(kafka, topic)).entries())
      for (const [i, { key, value, headers }] of records.entries())
        contents.set(`${topic}/${partition} ${i}`, outputLine({ topic, key, value, headers }));
  return contents;
}

/** Every document of the store by collection and id, without the times at which it expires. */
export async function documentsIn(mongodbUri: string): Promise<Contents> {
  const client = new MongoClient(mongodbUri);
  try {
    const db = client.db(readSettings("store", {}).mongodbDatabase);
    const contents = new Map<string, string>();
    for (const name of Object.values(collections))
      for await (const document of db.collection(name).find())
        contents.set(`${name} ${String(document._id)}`, sortedJson(document));
    return contents;
  } finally {
    await client.close();
  }
}

/** Sensors that the store knows. */
export function sensorsOf(documents: Contents): string[] {
  const prefix = `${collections.sensors} `;
  return [...documents.keys()].flatMap((name) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : []));
}

/** The features of each sensor. */
export async function featuresIn(endpoint: string, sensors: readonly string[]): Promise<Contents> {
  const client = featureStoreClient("local", endpoint);
  const FeatureGroupName = featureGroupName(LOCAL_ENVIRONMENT, "sensorWindows");
  const contents = new Map<string, string>();
  for (const sensor of sensors) {
    const { Record } = await client.send(
      new GetRecordCommand({ FeatureGroupName, RecordIdentifierValueAsString: sensor }),
    );
    contents.set(`features ${sensor}`, JSON.stringify(Record ?? null));
  }
  return contents;
}

/** Names whose values differ, or that one side lacks. */
export function differences(before: Contents, after: Contents): string[] {
  const names = [...new Set([...before.keys(), ...after.keys()])];
  return names
    .filter((name) => before.get(name) !== after.get(name))
    .map((name) => `${name}: before ${short(before.get(name))}, after ${short(after.get(name))}`);
}

function short(text: string | undefined): string {
  return text?.slice(0, 200) ?? "nothing";
}

/** Fields in the order of their names, because `$max` on a new field appends it; times of expiry are no content. */
function sortedJson(value: object): string {
  return JSON.stringify(value, function (this: Record<string, unknown>, name, field: unknown) {
    if (this[name] instanceof Date) return "a time of expiry";
    if (field === null || typeof field !== "object" || Array.isArray(field)) return field;
    return Object.fromEntries(Object.entries(field).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
