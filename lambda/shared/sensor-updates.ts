import type { SensorDocument } from "./documents.ts";
import type { UpdateOne } from "./mongo.ts";

/** First and last known event time of a sensor, epoch ms. */
export interface Sighting {
  readonly sensorId: string;
  readonly first: number;
  readonly last: number;
}

/** One update per sensor. It sets a minimum and a maximum, so order and repetition do not matter. */
export function sensorUpdates(sightings: Iterable<Sighting>): UpdateOne<SensorDocument>[] {
  const seen = new Map<string, { first: number; last: number }>();
  for (const { sensorId, first, last } of sightings) {
    const known = seen.get(sensorId);
    seen.set(sensorId, { first: Math.min(known?.first ?? first, first), last: Math.max(known?.last ?? last, last) });
  }
  return [...seen].map(([sensorId, { first, last }]) => ({
    filter: { _id: sensorId },
    update: { $min: { firstSeen: first }, $max: { lastSeen: last } },
  }));
}
