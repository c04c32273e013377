import type { EpochMs, Milliseconds } from "../../domain/time.ts";
import type { SensorDocument } from "./documents.ts";
import type { MergedUpdates } from "./merged-updates.ts";

/** First and last event time that a record says of a sensor. */
export interface Sighting {
  readonly sensorId: string;
  readonly first: EpochMs;
  readonly last: EpochMs;
  /** Time of the record. */
  readonly timestamp: EpochMs;
}

/** Adds a sighting to the updates of sensors. They expire `keepMs` after their last record. */
export function addSighting(updates: MergedUpdates<SensorDocument>, seen: Sighting, keepMs: Milliseconds): void {
  const { sensorId, first, last, timestamp } = seen;
  updates.min(sensorId, "firstSeen", first);
  updates.max(sensorId, "lastSeen", last);
  updates.max(sensorId, "expireAt", new Date(timestamp + keepMs));
}
