import type { z } from "zod";
import type { queries, Session } from "../../domain/api.ts";
import { sessionWarnings } from "../../domain/imu.ts";
import { parseSessionId } from "../../domain/records.ts";
import type { EpochMs } from "../../domain/time.ts";
import { decodeCursor, type Position } from "../shared/cursor.ts";
import {
  HIDDEN,
  SESSION_DAY_MS,
  SESSION_TIMES_MS,
  type SessionDocument,
  type SessionFields,
  type SessionListDocument,
} from "../shared/documents.ts";
import { idOfField } from "../shared/field-names.ts";
import { rankOf, valueOf } from "../shared/revised.ts";

export type SessionQuery = z.infer<typeof queries.sessions>;

/** Lists of the first read of a page (each read has twice as many, up to the most), and those of all reads. */
const LISTS = { first: 2, mostOfRead: 256, mostOfPage: 4_096 } as const;
/** Sessions that are read for a page, at most. */
const MOST_SESSIONS = 4_000;
/** Version of a session that is open. */
const OPEN = 1;

/** What a cursor of a list of sessions is bound to. */
export function listIdentity({ sensorId, from, to, status }: SessionQuery): unknown {
  return ["sessions", sensorId, from, to, status];
}

/** Where the lists of a query are: of one sensor by day, of all by ten minutes. */
export function listIds({ sensorId }: SessionQuery, days: Iterable<EpochMs>): Iterable<List> {
  const newestFirst = [...days].sort((a, b) => b - a);
  if (sensorId !== undefined)
    return newestFirst.map((start) => ({ id: `${sensorId}/${start}`, start, lengthMs: SESSION_DAY_MS }));
  return tenMinutesDown(newestFirst);
}

/** A document that lists the sessions that start within a time. */
export interface List {
  readonly id: string;
  readonly start: EpochMs;
  readonly lengthMs: number;
}

function* tenMinutesDown(days: readonly EpochMs[]): Generator<List> {
  const { document: lengthMs, index } = SESSION_TIMES_MS;
  for (const day of days)
    for (let start = day + index - lengthMs; start >= day; start -= lengthMs)
      yield { id: String(start), start, lengthMs };
}

/** Sessions, newest first. */
export interface FoundSessions {
  readonly sessions: readonly Session[];
  /** The next page has what comes after it; null when there is no more. */
  readonly next: Position | null;
}

/** How lists and sessions are read: those of the ids that exist, in any order. */
export interface Reads {
  lists(ids: readonly string[]): Promise<readonly SessionListDocument[]>;
  sessions(ids: readonly string[]): Promise<readonly SessionDocument[]>;
}

/**
 * At most `limit` sessions of a query. A session is in [from, to) if any instant from its first to its last sample is.
 * An open session reaches into the future. Where sessions of a query are far apart a page may be shorter, even empty,
 * and still have a next one: a request reads a bounded number of documents.
 *
 * @param lists Those that may have sessions of the query, newest first.
 */
export async function findSessions(
  query: SessionQuery,
  lists: Iterable<List>,
  limit: number,
  reads: Reads,
): Promise<FoundSessions> {
  const { sensorId, to = Infinity, from = -Infinity, status, cursor } = query;
  const after = cursor === undefined ? undefined : decodeCursor(cursor, listIdentity(query));
  const newest = Math.min(to, after?.value ?? Infinity);
  const all = lists[Symbol.iterator]();
  const found: Session[] = [];
  let [listsRead, sessionsRead] = [0, 0];
  for (let size: number = LISTS.first; ; size = Math.min(size * 2, LISTS.mostOfRead)) {
    const taken: List[] = [];
    while (taken.length < size) {
      const { value: list, done } = all.next();
      if (done) break;
      if (list.start <= newest) taken.push(list);
    }
    if (taken.length === 0) return { sessions: found, next: null };
    const candidates = (await reads.lists(taken.map(({ id }) => id)))
      .flatMap(({ sessions = {} }) =>
        Object.entries(sessions).flatMap(([name, entry]) => candidate(name, entry, status)),
      )
      .filter((place) => place.value < to && (after === undefined || isAfter(place, after)))
      .sort((a, b) => (isAfter(a, b) ? 1 : -1));
    for (let at = 0; at < candidates.length; at += limit + 1) {
      const slice = candidates.slice(at, at + limit + 1);
      const byId = new Map(
        (await reads.sessions(slice.map(({ id }) => id))).map((document) => [document._id, document]),
      );
      for (const { id } of slice) {
        const session = toSession(byId.get(id));
        if (!session || (status !== undefined && session.status !== status)) continue;
        if (session.end === null || session.end >= from) found.push(session);
        // A sensor's sessions do not overlap: those before one that begins before the time have ended before it, too.
        else if (sensorId !== undefined && session.start < from)
          return pageOf(found, limit) ?? { sessions: found, next: null };
      }
      const page = pageOf(found, limit);
      if (page) return page;
      sessionsRead += slice.length;
      if (sessionsRead >= MOST_SESSIONS) return { sessions: found, next: slice.at(-1)! };
    }
    listsRead += taken.length;
    if (listsRead >= LISTS.mostOfPage) return { sessions: found, next: { value: taken.at(-1)!.start, id: "" } };
  }
}

/** The first page of more sessions than it takes; null while they are not more. */
function pageOf(found: readonly Session[], limit: number): FoundSessions | null {
  if (found.length <= limit) return null;
  const { start, sessionId } = found[limit - 1]!;
  return { sessions: found.slice(0, limit), next: { value: start, id: sessionId } };
}

/** The place of a session of a list, unless it can't be one that is wanted. */
function candidate(name: string, entry: string, status: SessionQuery["status"]): Position[] {
  const version = rankOf(entry);
  if (version === HIDDEN || (status === "open" && version !== OPEN) || (status === "ended" && version === OPEN))
    return [];
  const id = idOfField(name);
  return [{ value: parseSessionId(id).start, id }];
}

/** Whether a place comes after another one in the list, which is sorted by start and id, both descending. */
function isAfter(one: Position, other: Position): boolean {
  return one.value < other.value || (one.value === other.value && one.id < other.id);
}

const messages: Readonly<Record<string, string>> = sessionWarnings;

/** A session in the form of the API; null where there is none, or it is hidden. */
export function toSession(document: SessionDocument | null | undefined): Session | null {
  if (!document || document.superseded || document.record === undefined) return null;
  const { sensorId, status, start, end, samples, revision, activity, warnings } = valueOf<SessionFields>(
    document.record,
  );
  return {
    sessionId: document._id,
    sensorId,
    status,
    start,
    end,
    samples,
    revision,
    ...(activity ? { activity: { ...activity } } : {}),
    warnings: warnings.map((code) => ({ code, message: messages[code] ?? "See docs/contracts.md." })),
    supersedes: [...(document.supersedes ?? [])].toSorted(),
  };
}
