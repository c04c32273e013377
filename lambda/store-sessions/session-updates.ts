import { parseSessionId, type SessionRecord } from "../../domain/records.ts";
import type { EpochMs, Milliseconds } from "../../domain/time.ts";
import {
  HIDDEN,
  OPEN,
  SESSION_DAY_MS,
  SESSION_DAYS,
  SESSION_TIMES_MS,
  startOf,
  type ListedSession,
  type SensorDocument,
  type SessionDaysDocument,
  type SessionDocument,
  type SessionFields,
  type SessionListDocument,
  type SessionTotals,
} from "../shared/documents.ts";
import { fieldName } from "../shared/field-names.ts";
import { MergedUpdates } from "../shared/merged-updates.ts";
import type { UpdateOne } from "../shared/mongo.ts";
import { rankOf, revised, valueOf } from "../shared/revised.ts";
import { addSighting } from "../shared/sensor-updates.ts";

/** A session record and the timestamp of its Kafka record. */
export interface StampedSession {
  readonly session: SessionRecord;
  readonly timestamp: EpochMs;
}

/** What records do to the collections. Any order and any repetition of a session's records gives the same documents. */
export interface SessionUpdates {
  readonly sessions: UpdateOne<SessionDocument>[];
  readonly sessionDays: UpdateOne<SessionListDocument>[];
  readonly sessionTimes: UpdateOne<SessionListDocument | SessionDaysDocument>[];
  readonly sensors: UpdateOne<SensorDocument>[];
}

/**
 * The updates that write session records. They expire `keepMs` after the last record.
 *
 * - The record of the highest version stays (`started` is 1, `ended` is 2 + revision), whatever the order.
 * - The sessions that a record supersedes are hidden, whatever their version. Where that comes first, it creates a
 *   tombstone. The session's own records fill it in, and it stays hidden.
 * - Each record names only what no record named before: `supersedes` is the union.
 */
export function sessionUpdates(records: readonly StampedSession[], keepMs: Milliseconds): SessionUpdates {
  const sessions = new MergedUpdates<SessionDocument>();
  const sessionDays = new MergedUpdates<SessionListDocument>();
  const sessionTimes = new MergedUpdates<SessionListDocument & SessionDaysDocument>();
  const sensors = new MergedUpdates<SensorDocument>();
  for (const { session, timestamp } of records) {
    const expireAt = new Date(timestamp + keepMs);
    const list = (sessionId: string, version: number, listed: ListedSession | null): void => {
      const { sensorId, start } = parseSessionId(sessionId);
      const entry = revised([version], listed);
      const day = sessionDayId(sensorId, start);
      const time = String(startOf(start, SESSION_TIMES_MS.document));
      sessionDays.max(day, `sessions.${fieldName(sessionId)}`, entry);
      sessionTimes.max(time, `sessions.${fieldName(sessionId)}`, entry);
      sessionDays.max(day, "expireAt", expireAt);
      sessionTimes.max(time, "expireAt", expireAt);
      sessions.max(sessionId, "expireAt", expireAt);
      sensors.max(sensorId, "newestSession", revised([Math.max(0, Math.floor(start)), version], listed));
      sessionTimes.set(SESSION_DAYS, `days.${startOf(start, SESSION_TIMES_MS.index)}`, true);
    };
    const { sessionId, supersedes } = session;
    const version = versionOf(session);
    const fields = fieldsOf(session);
    sessions.max(sessionId, "record", revised([version], fields));
    sessions.addAll(sessionId, "supersedes", supersedes);
    const listed: ListedSession = { end: fields.end, samples: fields.samples };
    list(sessionId, version, listed);
    for (const hidden of supersedes) {
      sessions.set(hidden, "superseded", true);
      list(hidden, HIDDEN, null);
    }
    const last = session.type === "ended" ? session.end : session.start;
    addSighting(sensors, { sensorId: session.sensorId, first: session.start, last, timestamp }, keepMs);
  }
  return {
    sessions: sessions.all,
    sessionDays: sessionDays.all,
    sessionTimes: sessionTimes.all as SessionUpdates["sessionTimes"],
    sensors: sensors.all,
  };
}

/** The id of the list of a sensor's sessions that start on the same day as one. */
export function sessionDayId(sensorId: string, start: EpochMs): string {
  return `${sensorId}/${startOf(start, SESSION_DAY_MS)}`;
}

/** The updates that count the sessions of days in the sensors' documents: listed ones, and the readings in them. */
export function totalsUpdates(days: readonly SessionListDocument[]): UpdateOne<SensorDocument>[] {
  const updates = new MergedUpdates<SensorDocument>();
  for (const { _id, sessions = {} } of days) {
    const at = _id.lastIndexOf("/");
    const listed = Object.values(sessions).filter((entry) => rankOf(entry) !== HIDDEN);
    const samples = listed.reduce((sum, entry) => sum + (valueOf<ListedSession>(entry).samples ?? 0), 0);
    updates.set(_id.slice(0, at), `days.${_id.slice(at + 1)}`, {
      sessions: listed.length,
      samples,
    } satisfies SessionTotals);
  }
  return updates.all;
}

function versionOf(record: SessionRecord): number {
  return record.type === "started" ? OPEN : OPEN + 1 + record.revision;
}

function fieldsOf(record: SessionRecord): SessionFields {
  const ended = record.type === "ended" ? record : null;
  return {
    sensorId: record.sensorId,
    start: record.start,
    status: ended ? "ended" : "open",
    end: ended?.end ?? null,
    samples: ended?.samples ?? null,
    revision: ended?.revision ?? null,
    activity: ended?.activity ?? null,
    warnings: ended?.warnings ?? [],
  };
}
