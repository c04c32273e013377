import type { Filter } from "mongodb";
import type { z } from "zod";
import type { queries, Sensor, SensorWindow } from "../../domain/api.ts";
import { afterPosition, decodeCursor } from "../shared/cursor.ts";
import type { SensorDocument, WindowDocument } from "../shared/documents.ts";

export type SensorQuery = z.infer<typeof queries.sensors>;
export type WindowQuery = z.infer<typeof queries.windows>;

/**
 * MongoDB filter of the list of sensors, which is sorted by when they were first seen. Unlike the time when they were
 * last seen, that does not change between pages.
 */
export function sensorFilter(query: SensorQuery): Filter<SensorDocument> {
  return query.cursor === undefined
    ? {}
    : (afterPosition("firstSeen", decodeCursor(query.cursor, sensorListIdentity)) as Filter<SensorDocument>);
}
/** What a cursor of the list of sensors is bound to. */
export const sensorListIdentity = ["sensors"];

/** The listed sessions of a sensor (`_id`), and the readings in them. */
export interface SessionTotals {
  readonly _id: string;
  readonly sessions: number;
  readonly samples: number;
}

/** MongoDB aggregation that gives the `SessionTotals` of sensors. */
export function sessionTotals(sensorIds: readonly string[]): Record<string, unknown>[] {
  return [
    { $match: { sensorId: { $in: sensorIds }, superseded: false } },
    { $group: { _id: "$sensorId", sessions: { $sum: 1 }, samples: { $sum: "$samples" } } },
  ];
}

/** A sensor in the form of the API. */
export function toSensor(document: SensorDocument, totals: SessionTotals | undefined): Sensor {
  return {
    sensorId: document._id,
    firstSeen: document.firstSeen,
    lastSeen: document.lastSeen,
    sessions: totals?.sessions ?? 0,
    samples: totals?.samples ?? 0,
  };
}

/** What a cursor of a list of windows is bound to. */
export function windowListIdentity(sensorId: string, { from, to }: WindowQuery): unknown {
  return ["windows", sensorId, from, to];
}

/**
 * MongoDB filter of the windows of a sensor that overlap [from, to) and have not expired at `now`. MongoDB may delete
 * an expired window a minute late.
 */
export function windowFilter(sensorId: string, query: WindowQuery, now: Date): Filter<WindowDocument> {
  const all: Filter<WindowDocument>[] = [{ sensorId }, { expireAt: { $gt: now } }];
  if (query.to !== undefined) all.push({ start: { $lt: query.to } });
  if (query.from !== undefined) all.push({ end: { $gt: query.from } });
  if (query.cursor !== undefined)
    all.push(
      afterPosition("start", decodeCursor(query.cursor, windowListIdentity(sensorId, query))) as Filter<WindowDocument>,
    );
  return { $and: all };
}

/** A window in the form of the API. */
export function toWindow(document: WindowDocument): SensorWindow {
  const { recordId, sensorId, operator, start, end, revision, cause, count, channels } = document;
  return {
    id: recordId,
    sensorId,
    operator,
    window: { start, end },
    revision,
    cause,
    count,
    channels: channels as SensorWindow["channels"],
  };
}
