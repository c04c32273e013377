import type { Db } from "mongodb";
import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { inferenceRecord, windowRecord } from "../../domain/records.ts";
import { MINUTE } from "../../domain/time.ts";
import { topics } from "../../domain/topics.ts";
import { createIndexes } from "../shared/documents.ts";
import { batchFunction, parseRecords, type KafkaRecord } from "../shared/kafka-event.ts";
import { mongoDatabase } from "../shared/mongo.ts";
import { followersOf, watchRuns, type Follower, type Store } from "../shared/runs.ts";
import { letSensorsGo, letWindowsGo } from "./let-go.ts";
import { storeInferences, storeNewest, storeWindows } from "./store.ts";
import type { Kept } from "./window-updates.ts";

const settings = readSettings("store", process.env);
const log = createLogger("store-windows", settings.logLevel);
const kept: Kept = { windowsMs: settings.recentWindowsMs, sensorsMs: settings.recentSessionsMs };
/** Time between two looks for what has expired. Each reads the documents of all sensors. */
const LET_GO_INTERVAL_MS = 10 * MINUTE;
const withDatabase = mongoDatabase(settings, 5_000, createIndexes);
const runsOf = watchRuns();

let lookedAt = -Infinity;

/** Writes the records of one topic to the live collections and to those of runs. Returns those that can't be read. */
type StoreTopic = (
  db: Db,
  followers: readonly Follower[],
  records: readonly KafkaRecord[],
) => Promise<readonly KafkaRecord[]>;

const storeTopics: Readonly<Record<string, StoreTopic>> = {
  [topics.aggregated.name]: async (db, followers, records) => {
    const { taken, refused } = parseRecords(records, windowRecord, log);
    const windows = taken.map(({ record, value }) => ({ window: value, timestamp: record.timestamp }));
    await storeWindows(db, windows, kept);
    await storeNewest(db, windows);
    for (const { store, isBehind } of followers)
      await storeWindows(
        store,
        windows.filter(({ window }) => isBehind(window.id)),
        kept,
      );
    return refused;
  },
  [topics.inference.name]: async (db, followers, records) => {
    const { taken, refused } = parseRecords(records, inferenceRecord, log);
    const inferences = taken.map(({ record, value }) => ({ inference: value, timestamp: record.timestamp }));
    await storeInferences(db, inferences, kept);
    for (const { store, isBehind } of followers)
      await storeInferences(
        store,
        inferences.filter(({ inference }) => isBehind(inference.id)),
        kept,
      );
    return refused;
  },
};

/**
 * `sensor-data-aggregated` and `sensor-inference` to MongoDB, idempotently: to the collections `windows`, `sensors` and
 * `newest`, and to those of the runs of `backfill`.
 */
export const handler = batchFunction(log, (records) =>
  withDatabase(async (db) => {
    const followers = followersOf(db, await runsOf(db));
    const refused: KafkaRecord[] = [];
    for (const [topic, store] of Object.entries(storeTopics)) {
      const ofTopic = records.filter((record) => record.topic === topic);
      if (ofTopic.length > 0) refused.push(...(await store(db, followers, ofTopic)));
    }
    await letGo([db, ...followers.map(({ store }) => store)], Date.now());
    return refused;
  }),
);

async function letGo(stores: readonly Store[], now: number): Promise<void> {
  if (now - lookedAt < LET_GO_INTERVAL_MS) return;
  lookedAt = now;
  try {
    for (const store of stores) {
      await letWindowsGo(store, now);
      if (settings.maxSensors > 0) await letSensorsGo(store, settings.maxSensors);
    }
  } catch (error) {
    log.warn({ err: error }, "expired windows and sensors were not deleted");
  }
}
