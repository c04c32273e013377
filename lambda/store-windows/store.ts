import { collections } from "../../domain/names.ts";
import type { NewestDocument, SensorDocument, WindowsDocument } from "../shared/documents.ts";
import { bulkUpsert } from "../shared/mongo.ts";
import type { Store } from "../shared/runs.ts";
import { inferenceUpdates, type StampedInference } from "./inference-updates.ts";
import { newestUpdates, sensorUpdates, windowUpdates, type Kept, type StampedWindow } from "./window-updates.ts";

/** Writes windows to the collections `windows` and `sensors`, idempotently and in any order. */
export async function storeWindows(store: Store, windows: readonly StampedWindow[], kept: Kept): Promise<void> {
  await bulkUpsert(store.collection<WindowsDocument>(collections.windows), windowUpdates(windows, kept));
  await bulkUpsert(store.collection<SensorDocument>(collections.sensors), sensorUpdates(windows, kept));
}

/** Writes inferences to the same collections, idempotently and in any order. */
export async function storeInferences(
  store: Store,
  inferences: readonly StampedInference[],
  kept: Kept,
): Promise<void> {
  const { windows, sensors } = inferenceUpdates(inferences, kept);
  await bulkUpsert(store.collection<WindowsDocument>(collections.windows), windows);
  await bulkUpsert(store.collection<SensorDocument>(collections.sensors), sensors);
}

/** Writes to the collection `newest` where the newest of these windows ends. */
export async function storeNewest(store: Store, windows: readonly StampedWindow[]): Promise<void> {
  await bulkUpsert(store.collection<NewestDocument>(collections.newest), newestUpdates(windows));
}
