import type { Filter } from "mongodb";
import type { z } from "zod";
import type { queries, Sensor } from "../../domain/api.ts";
import { afterPosition, decodeCursor } from "../shared/cursor.ts";
import type { SensorDocument } from "../shared/documents.ts";
import { rejectedOf, type RejectedDocument } from "../shared/letter-documents.ts";

export type SensorQuery = z.infer<typeof queries.sensors>;
export type WindowQuery = z.infer<typeof queries.windows>;

/**
 * MongoDB filter of the list of sensors, which is sorted by when they were first seen. Unlike the time when they were
 * last seen, that does not change between pages. It reads the documents of all sensors, whose number is bounded.
 */
export function sensorFilter(query: SensorQuery): Filter<SensorDocument> {
  const { q, cursor } = query;
  return {
    // The characters of an id have no meaning in a regular expression.
    ...(q === undefined ? {} : { _id: { $regex: q } }),
    ...(cursor === undefined ? {} : afterPosition("firstSeen", decodeCursor(cursor, sensorListIdentity(query)))),
  } as Filter<SensorDocument>;
}

/** What a cursor of the list of sensors is bound to. */
export function sensorListIdentity({ q }: SensorQuery): unknown {
  return ["sensors", q];
}

/** A sensor in the form of the API. */
export function toSensor(
  { _id, firstSeen, lastSeen, days = {} }: SensorDocument,
  rejected: RejectedDocument | undefined,
): Sensor {
  const totals = Object.values(days);
  return {
    sensorId: _id,
    firstSeen,
    lastSeen,
    sessions: totals.reduce((sum, { sessions }) => sum + sessions, 0),
    samples: totals.reduce((sum, { samples }) => sum + samples, 0),
    rejected: rejectedOf(rejected),
  };
}

/** What a cursor of a list of windows is bound to. */
export function windowListIdentity(sensorId: string, { from, to }: WindowQuery): unknown {
  return ["windows", sensorId, from, to];
}

/** What a cursor of a list of activity is bound to. */
export function activityListIdentity(sensorId: string, { from, to }: WindowQuery): unknown {
  return ["activity", sensorId, from, to];
}
