import type { Filter } from "mongodb";
import type { z } from "zod";
import type { queries, Session } from "../../domain/api.ts";
import { sessionWarnings } from "../../domain/imu.ts";
import { afterPosition, decodeCursor } from "../shared/cursor.ts";
import type { SessionDocument } from "../shared/documents.ts";

export type SessionQuery = z.infer<typeof queries.sessions>;

/** What a cursor of a list of sessions is bound to. */
export function listIdentity({ sensorId, from, to, status }: SessionQuery): unknown {
  return ["sessions", sensorId, from, to, status];
}

/**
 * MongoDB filter of a list of sessions. A session is in [from, to) if any instant from its first to its last sample is.
 * An open session reaches into the future.
 */
export function sessionFilter(query: SessionQuery): Filter<SessionDocument> {
  const all: Filter<SessionDocument>[] = [{ superseded: false }];
  if (query.sensorId !== undefined) all.push({ sensorId: query.sensorId });
  if (query.status !== undefined) all.push({ status: query.status });
  if (query.to !== undefined) all.push({ start: { $lt: query.to } });
  if (query.from !== undefined) all.push({ $or: [{ end: { $gte: query.from } }, { status: "open" }] });
  if (query.cursor !== undefined)
    all.push(afterPosition("start", decodeCursor(query.cursor, listIdentity(query))) as Filter<SessionDocument>);
  return { $and: all };
}

const messages: Readonly<Record<string, string>> = sessionWarnings;

/** A session in the form of the API. */
export function toSession(document: SessionDocument): Session {
  const { _id, sensorId, status, start, end, samples, revision, activity, warnings = [], supersedes } = document;
  return {
    sessionId: _id,
    sensorId,
    status,
    start,
    end,
    samples,
    revision,
    ...(activity ? { activity: { ...activity } } : {}),
    warnings: warnings.map((code) => ({ code, message: messages[code] ?? "See docs/contracts.md." })),
    supersedes: supersedes.toSorted(),
  };
}
