import type { SensorWindow } from "../../domain/api.ts";
import { windowMsOf } from "../../domain/imu.ts";
import type { EpochMs } from "../../domain/time.ts";
import { isAfter, type Position } from "../shared/cursor.ts";
import {
  INFERENCES,
  windowsDocumentId,
  type SensorDocument,
  type StoredWindow,
  type WindowsDocument,
} from "../shared/documents.ts";
import { growingChunks } from "../shared/growing-chunks.ts";
import { valueOf } from "../shared/revised.ts";
import { DOCUMENTS, minutesDown } from "./minutes.ts";

/** Which windows are wanted: those that overlap [from, to) and come after a position of the list. */
export interface WindowsQuery {
  readonly from?: EpochMs | undefined;
  readonly to?: EpochMs | undefined;
  readonly after?: Position | undefined;
}

/** Windows, newest first. */
export interface FoundWindows {
  readonly windows: readonly SensorWindow[];
  /** The next page has what comes after it; null when there is no more. */
  readonly next: Position | null;
}

/**
 * At most `limit` windows of a sensor. Where windows are far apart a page may be shorter, even empty, and still have a
 * next one: a request reads a bounded number of documents.
 *
 * @param read Gives the documents of these ids that exist, in any order.
 */
export async function findWindows(
  { _id: sensorId, hours = {}, lastSeen }: Pick<SensorDocument, "_id" | "hours" | "lastSeen">,
  query: WindowsQuery,
  { limit, nowMs }: { readonly limit: number; readonly nowMs: EpochMs },
  read: (ids: readonly string[]) => Promise<readonly WindowsDocument[]>,
): Promise<FoundWindows> {
  const found: SensorWindow[] = [];
  let documents = 0;
  const { [INFERENCES]: _, ...ofOperators } = hours;
  const { from = -Infinity, to = Infinity, after } = query;
  const newest = Math.min(to, after?.value ?? Infinity);
  const minutes = minutesDown(
    { hours: ofOperators, lastSeen },
    { newest, oldest: (name) => from - windowMsOf(name) },
    nowMs,
  );
  for (const chunk of growingChunks(minutes, DOCUMENTS.first, DOCUMENTS.mostOfRead)) {
    const ids = chunk.flatMap(({ start, operators }) =>
      operators.map((name) => windowsDocumentId(sensorId, name, start)),
    );
    found.push(...(await read(ids)).flatMap((document) => windowsOf(document, query, nowMs)).toSorted(newestFirst));
    if (found.length > limit) return { windows: found.slice(0, limit), next: placeOf(found[limit - 1]!) };
    documents += ids.length;
    if (documents >= DOCUMENTS.mostOfPage) return { windows: found, next: { value: chunk.at(-1)!.start, id: "" } };
  }
  return { windows: found, next: null };
}

function windowsOf(
  { windows, expireAt }: WindowsDocument,
  { from = -Infinity, to = Infinity, after }: WindowsQuery,
  nowMs: EpochMs,
): StoredWindow[] {
  if (expireAt.getTime() <= nowMs) return [];
  return Object.values(windows)
    .map((text) => valueOf<StoredWindow>(text))
    .filter((stored) => {
      const { start, end } = stored.window;
      return start < to && end > from && (after === undefined || isAfter(placeOf(stored), after));
    });
}

/** Where a window stands in the list: by its start, then by its operator, both descending. */
function placeOf({ sensorId, operator, window }: Pick<SensorWindow, "sensorId" | "operator" | "window">): Position {
  return { value: window.start, id: `${sensorId}/${operator}/${window.start}` };
}

function newestFirst(one: StoredWindow, other: StoredWindow): number {
  return isAfter(placeOf(one), placeOf(other)) ? 1 : -1;
}
