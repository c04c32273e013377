import type { Filter } from "mongodb";
import type { z } from "zod";
import type { queries, Sensor, SensorWindow } from "../../domain/api.ts";
import { afterPosition, decodeCursor } from "../shared/cursor.ts";
import type { SensorDocument, WindowDocument } from "../shared/documents.ts";

export type SensorQuery = z.infer<typeof queries.sensors>;
export type WindowQuery = z.infer<typeof queries.windows>;

/**
 * Sensors are listed by when they were first seen, newest first: unlike the last time that does not change between
 * pages.
 */
export function sensorFilter(query: SensorQuery): Filter<SensorDocument> {
  return query.cursor === undefined
    ? {}
    : (afterPosition("firstSeen", decodeCursor(query.cursor, sensorListIdentity)) as Filter<SensorDocument>);
}
export const sensorListIdentity = ["sensors"];

export interface SessionTotals {
  readonly _id: string;
  readonly sessions: number;
  readonly samples: number;
}

/** Aggregation that counts the listed sessions of sensors, and the readings in them. */
export function sessionTotals(sensorIds: readonly string[]): Record<string, unknown>[] {
  return [
    { $match: { sensorId: { $in: sensorIds }, superseded: false } },
    { $group: { _id: "$sensorId", sessions: { $sum: 1 }, samples: { $sum: "$samples" } } },
  ];
}

export function toSensor(document: SensorDocument, totals: SessionTotals | undefined): Sensor {
  return {
    sensorId: document._id,
    firstSeen: document.firstSeen,
    lastSeen: document.lastSeen,
    sessions: totals?.sessions ?? 0,
    samples: totals?.samples ?? 0,
  };
}

export function windowListIdentity(sensorId: string, { from, to }: WindowQuery): unknown {
  return ["windows", sensorId, from, to];
}

/**
 * Windows of a sensor that overlap [from, to) and have not expired at `now`, which MongoDB may be a minute late to
 * notice.
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
