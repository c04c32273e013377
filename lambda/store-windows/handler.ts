import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { windowRecord } from "../../domain/records.ts";
import { MINUTE } from "../../domain/time.ts";
import { createIndexes } from "../shared/documents.ts";
import { batchFunction, parseRecords } from "../shared/kafka-event.ts";
import { mongoDatabase } from "../shared/mongo.ts";
import { followersOf, watchRuns, type Store } from "../shared/runs.ts";
import { letSensorsGo, letWindowsGo } from "./let-go.ts";
import { storeNewest, storeWindows } from "./store.ts";
import type { Kept } from "./window-updates.ts";

const settings = readSettings("store", process.env);
const log = createLogger("store-windows", settings.logLevel);
const kept: Kept = { windowsMs: settings.recentWindowsMs, sensorsMs: settings.recentSessionsMs };
/** Time between two looks for what has expired. Each reads the documents of all sensors. */
const LET_GO_INTERVAL_MS = 10 * MINUTE;
const withDatabase = mongoDatabase(settings, 5_000, createIndexes);
const runsOf = watchRuns();

let lookedAt = -Infinity;

/**
 * `sensor-data-aggregated` to MongoDB, idempotently: to the collections `windows`, `sensors` and `newest`, and to those
 * of the runs of `backfill`.
 */
export const handler = batchFunction(log, async (records) => {
  const { taken, refused } = parseRecords(records, windowRecord, log);
  const windows = taken.map(({ record, value }) => ({ window: value, timestamp: record.timestamp }));
  await withDatabase(async (db) => {
    const followers = followersOf(db, await runsOf(db));
    await storeWindows(db, windows, kept);
    await storeNewest(db, windows);
    for (const { store, isBehind } of followers)
      await storeWindows(
        store,
        windows.filter(({ window }) => isBehind(window.id)),
        kept,
      );
    await letGo([db, ...followers.map(({ store }) => store)], Date.now());
  });
  return refused;
});

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
