import type { Collection } from "mongodb";
import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { collections } from "../../domain/names.ts";
import { batchFunction } from "../shared/kafka-event.ts";
import { createLetterIndexes, type DeadLetterDocument, type RejectedDocument } from "../shared/letter-documents.ts";
import { bulkUpsert, mongoDatabase } from "../shared/mongo.ts";
import { letterDocument, letterUpdates, rejectedUpdates } from "./letter-updates.ts";

const settings = readSettings("store", process.env);
const log = createLogger("store-dead-letters", settings.logLevel);
const withDatabase = mongoDatabase(settings, 5_000, createLetterIndexes);

/**
 * `dead-letter` to MongoDB, idempotently: to the collections `dead-letters`, of which the newest are kept, and
 * `rejected`, which has how many there were of each sensor.
 */
export const handler = batchFunction(log, async (records) => {
  const documents = records.map((record) => letterDocument(record, settings.recentSessionsMs));
  // Of a flood only those are written that stay.
  const newest = documents.toSorted((a, b) => a.at - b.at).slice(-settings.maxDeadLetters);
  const sensors = [...new Set(documents.flatMap(({ sensorId }) => sensorId ?? []))];
  await withDatabase(async (db) => {
    const letters = db.collection<DeadLetterDocument>(collections.deadLetters);
    const rejected = db.collection<RejectedDocument>(collections.rejected);
    const known = await rejected.find({ _id: { $in: sensors } }).toArray();
    await bulkUpsert(letters, letterUpdates(newest));
    await bulkUpsert(rejected, rejectedUpdates(documents, new Map(known.map((one) => [one._id, one]))));
    await letOldestGo(letters, settings.maxDeadLetters);
    if (settings.maxSensors > 0) await letOldestGo(rejected, settings.maxSensors);
  });
  return [];
});

/** Deletes the oldest once there are a quarter more than `most`: where a server has no index, it reads all. */
async function letOldestGo<D extends DeadLetterDocument | RejectedDocument>(
  collection: Collection<D>,
  most: number,
): Promise<void> {
  if ((await collection.estimatedDocumentCount()) <= most * 1.25) return;
  const [last] = await collection
    .find({}, { projection: { at: 1 } })
    .sort({ at: -1, _id: -1 })
    .skip(most)
    .limit(1)
    .toArray();
  if (last) await collection.deleteMany({ at: { $lte: last.at } } as never);
}
