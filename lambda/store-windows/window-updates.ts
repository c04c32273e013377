import type { WindowRecord } from "../../domain/records.ts";
import type { WindowDocument } from "../shared/documents.ts";
import type { UpdateOne } from "../shared/mongo.ts";
import type { Sighting } from "../shared/sensor-updates.ts";

/** A window and the timestamp (epoch ms) of its Kafka record. */
export interface StampedWindow {
  readonly window: WindowRecord;
  readonly timestamp: number;
}

/** The `_id` of a window's document: `<sensor>/<operator>/<start>`. */
function windowDocumentId({ sensorId, operator, window }: WindowRecord): string {
  return `${sensorId}/${operator}/${window.start}`;
}

/**
 * The updates that write windows to MongoDB. The highest revision of each window stays, whatever the order. It expires
 * `keepMs` after its record was written.
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

/** When a window says that its sensor has sent: at its start or later. The start counts. */
export function sightingOf({ window }: StampedWindow): Sighting {
  return { sensorId: window.sensorId, first: window.window.start, last: window.window.start };
}
