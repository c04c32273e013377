import type { SessionRecord } from "../../domain/records.ts";
import type { SessionDocument } from "../shared/documents.ts";
import type { UpdateOne } from "../shared/mongo.ts";
import type { Sighting } from "../shared/sensor-updates.ts";

/**
 * The updates that write session records to MongoDB. Any order and any repetition of a session's records gives the same
 * documents:
 *
 * - A record replaces a document only if its version is higher (`started` is 1, `ended` is 2 + revision). So `started`
 *   after `ended` changes nothing, and neither does an older revision.
 * - The sessions that a record supersedes are marked, whatever their version. If a mark arrives first, it creates a
 *   tombstone of version 0. The session's own records fill it in, and it stays hidden.
 *
 * Each record names only what no record named before: `supersededBy` keeps the union.
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
  const fields: Omit<SessionDocument, "_id" | "superseded" | "supersedes"> = {
    sensorId: record.sensorId,
    start: record.start,
    version,
    status: ended ? "ended" : "open",
    end: ended?.end ?? null,
    samples: ended?.samples ?? null,
    revision: ended?.revision ?? null,
    activity: ended?.activity ?? null,
    warnings: ended?.warnings ?? [],
  };
  return {
    filter: { _id: record.sessionId, version: { $lt: version } },
    update: { $set: fields, $setOnInsert: { superseded: false, supersedes: [] } },
  };
}

function hide(sessionId: string): UpdateOne<SessionDocument> {
  const tombstone = { version: 0, supersedes: [] };
  return { filter: { _id: sessionId }, update: { $set: { superseded: true }, $setOnInsert: tombstone } };
}

/** The updates that add to each session what its records say that it supersedes. They come behind `sessionUpdates`. */
export function supersededBy(records: readonly SessionRecord[]): UpdateOne<SessionDocument>[] {
  const named = new Map<string, string[]>();
  for (const { sessionId, supersedes } of records)
    if (supersedes.length > 0) named.set(sessionId, [...(named.get(sessionId) ?? []), ...supersedes]);
  return [...named].map(([sessionId, ids]) => ({
    filter: { _id: sessionId },
    update: { $addToSet: { supersedes: { $each: [...new Set(ids)] } } },
  }));
}

/** When a session's record says that its sensor has sent. */
export function sightingOf(record: SessionRecord): Sighting {
  return { sensorId: record.sensorId, first: record.start, last: record.type === "ended" ? record.end : record.start };
}
