import type { WindowRecord } from "../../domain/records.ts";
import type { WindowDocument } from "../shared/documents.ts";
import type { UpdateOne } from "../shared/mongo.ts";
import type { Sighting } from "../shared/sensor-updates.ts";

/** A window record and the Kafka timestamp (epoch ms) of its record. */
export interface StampedWindow {
  readonly window: WindowRecord;
  readonly timestamp: number;
}

export function windowDocumentId({ sensorId, operator, window }: WindowRecord): string {
  return `${sensorId}/${operator}/${window.start}`;
}

/**
 * The updates that bring windows into MongoDB: of each window the highest revision stays, whatever the order. It
 * expires `keepMs` after its record was written.
 */
export function windowUpdates(windows: readonly StampedWindow[], keepMs: number): UpdateOne<WindowDocument>[] {
  const newest = new Map<string, StampedWindow>();
  for (const stamped of windows) {
    const id = windowDocumentId(stamped.window);
    const known = newest.get(id);
    if (!known || stamped.window.revision > known.window.revision) newest.set(id, stamped);
  }
  return [...newest].map(([id, { window, timestamp }]) => {
    const fields: Omit<WindowDocument, "_id"> = {
      sensorId: window.sensorId,
      operator: window.operator,
      start: window.window.start,
      end: window.window.end,
      revision: window.revision,
      recordId: window.id,
      cause: window.cause,
      count: window.count,
      channels: window.channels,
      expireAt: new Date(timestamp + keepMs),
    };
    return { filter: { _id: id, revision: { $lt: window.revision } }, update: { $set: fields } };
  });
}

/** A window says that a reading was taken in it: at its start or later. */
export function sightingOf({ window }: StampedWindow): Sighting {
  return { sensorId: window.sensorId, first: window.window.start, last: window.window.start };
}
