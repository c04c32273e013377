import type { z } from "zod";
import type { queries, Session } from "../../domain/api.ts";
import { sessionWarnings } from "../../domain/imu.ts";
import { parseSessionId } from "../../domain/records.ts";
import { DAY, type EpochMs } from "../../domain/time.ts";
import { decodeCursor, isAfter, type Position } from "../shared/cursor.ts";
import {
  HIDDEN,
  SESSION_TIMES_MS,
  type ListedSession,
  type SensorDocument,
  type SessionDocument,
  type SessionFields,
  type SessionListDocument,
} from "../shared/documents.ts";
import { idOfField } from "../shared/field-names.ts";
import { growingChunks } from "../shared/growing-chunks.ts";
import { rankOf, valueOf } from "../shared/revised.ts";

export type SessionQuery = z.infer<typeof queries.sessions>;

/** Lists of the first read of a page (each read has twice as many, up to the most), and those of all reads. */
const LISTS = { first: 4, mostOfRead: 256, mostOfPage: 4_096 } as const;
/**
 * How far before the place of a page lists are looked through again, for the sensors of `before`. One that is missed
 * makes the search longer, not wrong.
 */
const LOOKED_AGAIN_MS = 3 * DAY;
/** Sessions that are read for a page, at most. */
const MOST_SESSIONS = 4_000;
/** What a cursor of a list of sessions is bound to. */
export function listIdentity({ sensorId, from, to, status }: SessionQuery): unknown {
  return ["sessions", sensorId, from, to, status];
}

/** Where the lists of a query are: of one sensor by day, of all by minute. */
export function listIds({ sensorId }: SessionQuery, days: Iterable<EpochMs>): Iterable<List> {
  const newestFirst = [...days].sort((a, b) => b - a);
  if (sensorId !== undefined) return newestFirst.map((start) => ({ id: `${sensorId}/${start}`, start }));
  return minutesDown(newestFirst);
}

/** A document that lists the sessions that start within a time. */
export interface List {
  readonly id: string;
  readonly start: EpochMs;
}

function* minutesDown(days: readonly EpochMs[]): Generator<List> {
  const { document: minute, index } = SESSION_TIMES_MS;
  for (const day of days)
    for (let start = day + index - minute; start >= day; start -= minute) yield { id: String(start), start };
}

/** Until when a wanted session lasts, at least. An open one has no end. */
export function reachOf({ from, status }: SessionQuery): EpochMs | undefined {
  return status === "open" ? Infinity : from;
}

/**
 * The sensors of which a session that begins before `from` may last until then: a sensor's sessions do not overlap, so
 * none does where the one that began last has ended before.
 */
export function sensorsBefore(from: EpochMs, sensors: Iterable<SensorDocument>): Set<string> {
  const may = new Set<string>();
  for (const { _id, firstSeen, newestSession } of sensors) {
    const end = newestSession === undefined ? null : (valueOf<ListedSession | null>(newestSession, 2)?.end ?? null);
    if (firstSeen < from && (end === null || end >= from)) may.add(_id);
  }
  return may;
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
 * @param before The sensors of which a session that begins before `reachOf` may be wanted; null where that is not
 *   known. The search ends when it has come to such a session of each. It takes them out.
 */
export async function findSessions(
  query: SessionQuery,
  lists: Iterable<List>,
  before: Set<string> | null,
  limit: number,
  reads: Reads,
): Promise<FoundSessions> {
  const { to = Infinity, cursor } = query;
  const from = reachOf(query) ?? -Infinity;
  const after = cursor === undefined ? undefined : decodeCursor(cursor, listIdentity(query));
  const newest = Math.min(to, after?.value ?? Infinity);
  const isDone = (): boolean => before?.size === 0;
  const found: Session[] = [];
  let [listsRead, sessionsRead] = [0, 0];
  const wantedLists = filtered(
    lists,
    ({ start }) => start <= newest || (start < from && start <= newest + LOOKED_AGAIN_MS),
  );
  for (const chunk of growingChunks(wantedLists, LISTS.first, LISTS.mostOfRead)) {
    const places = (await reads.lists(chunk.map(({ id }) => id)))
      .flatMap(({ sessions = {} }) => Object.entries(sessions).flatMap(([name, entry]) => listed(name, entry)))
      .sort((a, b) => (isAfter(a, b) ? 1 : -1));
    const wanted: Place[] = [];
    for (const place of places) {
      if (place.value < from && isDone()) break;
      if (isWanted(place, query, after)) wanted.push(place);
      if (place.value < from) before?.delete(parseSessionId(place.id).sensorId);
    }
    for (let at = 0; at < wanted.length; at += limit + 1) {
      const slice = wanted.slice(at, at + limit + 1);
      const documents = await reads.sessions(slice.map(({ id }) => id));
      const byId = new Map(documents.map((document) => [document._id, document]));
      found.push(...slice.flatMap(({ id }) => toSession(byId.get(id)) ?? []));
      const page = pageOf(found, limit);
      if (page) return page;
      sessionsRead += slice.length;
      if (sessionsRead >= MOST_SESSIONS) return { sessions: found, next: placeOf(slice.at(-1)!) };
    }
    const last = chunk.at(-1)!;
    if (last.start < from && isDone()) break;
    listsRead += chunk.filter(({ start }) => start <= newest).length;
    if (listsRead >= LISTS.mostOfPage) return { sessions: found, next: { value: last.start, id: "" } };
  }
  return { sessions: found, next: null };
}

function* filtered<T>(items: Iterable<T>, isWanted: (item: T) => boolean): Generator<T> {
  for (const item of items) if (isWanted(item)) yield item;
}

/** The first page of more sessions than it takes; null while they are not more. */
function pageOf(found: readonly Session[], limit: number): FoundSessions | null {
  if (found.length <= limit) return null;
  const { start, sessionId } = found[limit - 1]!;
  return { sessions: found.slice(0, limit), next: { value: start, id: sessionId } };
}

/** A session of a list, and its place in the order. */
interface Place extends Position {
  readonly end: EpochMs | null;
}

/** A session as a list has it; nothing where it is hidden. */
function listed(name: string, entry: string): Place[] {
  if (rankOf(entry) === HIDDEN) return [];
  const id = idOfField(name);
  return [{ value: parseSessionId(id).start, id, end: valueOf<ListedSession>(entry).end }];
}

function isWanted(
  place: Place,
  { from = -Infinity, to = Infinity, status }: SessionQuery,
  after: Position | undefined,
): boolean {
  if (place.value >= to || (after !== undefined && !isAfter(place, after))) return false;
  if (status !== undefined && (status === "open") !== (place.end === null)) return false;
  return place.end === null || place.end >= from;
}

function placeOf({ value, id }: Place): Position {
  return { value, id };
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
