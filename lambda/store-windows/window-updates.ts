import type { WindowRecord } from "../../domain/records.ts";
import type { EpochMs, Milliseconds } from "../../domain/time.ts";
import {
  NEWEST_WINDOW,
  startOf,
  WINDOWS_MS,
  windowsDocumentId,
  type NewestDocument,
  type SensorDocument,
  type StoredWindow,
  type WindowsDocument,
} from "../shared/documents.ts";
import { MergedUpdates } from "../shared/merged-updates.ts";
import type { UpdateOne } from "../shared/mongo.ts";
import { revised } from "../shared/revised.ts";
import { addSighting } from "../shared/sensor-updates.ts";

/** A window and the timestamp of its Kafka record. */
export interface StampedWindow {
  readonly window: WindowRecord;
  readonly timestamp: EpochMs;
}

/** How long windows and sensors are kept after their last record. */
export interface Kept {
  readonly windowsMs: Milliseconds;
  readonly sensorsMs: Milliseconds;
}

/** The updates that write windows: of each the highest revision stays. */
export function windowUpdates(windows: readonly StampedWindow[], { windowsMs }: Kept): UpdateOne<WindowsDocument>[] {
  const updates = new MergedUpdates<WindowsDocument>();
  for (const { window: record, timestamp } of windows) {
    const { schema: _, ...window } = record;
    const { sensorId, operator, revision } = window;
    const { start } = window.window;
    const id = windowsDocumentId(sensorId, operator, startOf(start, WINDOWS_MS.document));
    updates.max(id, `windows.${start}`, revised([revision], window satisfies StoredWindow));
    updates.max(id, "expireAt", new Date(timestamp + windowsMs));
  }
  return updates.all;
}

/** The updates that say of sensors that they have sent, and in which hours they have windows. */
export function sensorUpdates(windows: readonly StampedWindow[], kept: Kept): UpdateOne<SensorDocument>[] {
  const updates = new MergedUpdates<SensorDocument>();
  for (const { window, timestamp } of windows) {
    const { sensorId, operator } = window;
    const { start } = window.window;
    // A window says that its sensor has sent at its start or later. The start counts.
    addSighting(updates, { sensorId, first: start, last: start, timestamp }, kept.sensorsMs);
    const hour = startOf(start, WINDOWS_MS.index);
    updates.max(sensorId, `hours.${operator}.${hour}`, new Date(timestamp + kept.windowsMs));
  }
  return updates.all;
}

/** The update that says where the newest window ends. */
export function newestUpdates(windows: readonly StampedWindow[]): UpdateOne<NewestDocument>[] {
  const updates = new MergedUpdates<NewestDocument>();
  for (const { window } of windows) updates.max(NEWEST_WINDOW, "end", window.window.end);
  return updates.all;
}
