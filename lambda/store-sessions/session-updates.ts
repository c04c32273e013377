import type { SessionRecord } from "../../domain/records.ts";
import type { SessionDocument } from "../shared/documents.ts";
import type { UpdateOne } from "../shared/mongo.ts";
import type { Sighting } from "../shared/sensor-updates.ts";

/**
 * The updates that bring session records into MongoDB, such that any order and any repetition of a session's records
 * ends in the same documents:
 *
 * - A record replaces a document only if its version is higher (`started` 1, `ended` 2 + revision), so `started` behind
 *   `ended` changes nothing, and neither does an older revision;
 * - What a record supersedes is marked apart from all versions; when the mark comes before the session's own records, it
 *   waits as a tombstone of version 0, which they fill in without showing it.
 */
export function sessionUpdates(records: readonly SessionRecord[]): UpdateOne<SessionDocument>[] {
  const newest = new Map<string, SessionRecord>();
  const superseded = new Set<string>();
  for (const record of records) {
    const known = newest.get(record.sessionId);
    if (!known || versionOf(record) > versionOf(known)) newest.set(record.sessionId, record);
    for (const id of record.supersedes) superseded.add(id);
  }
  return [...[...newest.values()].map(replaceOlder), ...[...superseded].map(hide)];
}

function versionOf(record: SessionRecord): number {
  return record.type === "started" ? 1 : 2 + record.revision;
}

function replaceOlder(record: SessionRecord): UpdateOne<SessionDocument> {
  const version = versionOf(record);
  const ended = record.type === "ended" ? record : null;
  const fields: Omit<SessionDocument, "_id" | "superseded"> = {
    sensorId: record.sensorId,
    start: record.start,
    version,
    status: ended ? "ended" : "open",
    end: ended?.end ?? null,
    samples: ended?.samples ?? null,
    revision: ended?.revision ?? null,
    supersedes: record.supersedes,
    activity: ended?.activity ?? null,
  };
  return {
    filter: { _id: record.sessionId, version: { $lt: version } },
    update: { $set: fields, $setOnInsert: { superseded: false } },
  };
}

function hide(sessionId: string): UpdateOne<SessionDocument> {
  return { filter: { _id: sessionId }, update: { $set: { superseded: true }, $setOnInsert: { version: 0 } } };
}

export function sightingOf(record: SessionRecord): Sighting {
  return { sensorId: record.sensorId, first: record.start, last: record.type === "ended" ? record.end : record.start };
}
