import { collections } from "../../domain/names.ts";
import { parseSessionId } from "../../domain/records.ts";
import {
  OPEN,
  SESSION_DAYS,
  SESSION_TIMES_MS,
  type SensorDocument,
  type SessionDaysDocument,
  type SessionDocument,
  type SessionListDocument,
} from "../shared/documents.ts";
import { idOfField } from "../shared/field-names.ts";
import { bulkUpsert } from "../shared/mongo.ts";
import { rankOf } from "../shared/revised.ts";
import type { Store } from "../shared/runs.ts";
import { sessionDayId, totalsUpdates } from "./session-updates.ts";

/**
 * Lets the sessions go that began first, where there are more than `most`: ended and hidden ones, by a minute at a
 * time. Open ones stay.
 */
export async function letSessionsGo(store: Store, most: number): Promise<void> {
  const sessions = store.collection<SessionDocument>(collections.sessions);
  const times = store.collection<SessionListDocument>(collections.sessionTimes);
  const index = store.collection<SessionDaysDocument>(collections.sessionTimes);
  let tooMany = (await sessions.estimatedDocumentCount()) - most;
  if (tooMany <= 0) return;
  const { days = {} } = (await index.findOne({ _id: SESSION_DAYS })) ?? {};
  for (const day of Object.keys(days).sort((a, b) => Number(a) - Number(b))) {
    const ids = Array.from({ length: SESSION_TIMES_MS.index / SESSION_TIMES_MS.document }, (_, i) =>
      String(Number(day) + i * SESSION_TIMES_MS.document),
    );
    const lists = await times.find({ _id: { $in: ids } }).toArray();
    let left = lists.length;
    for (const list of lists.toSorted((a, b) => Number(a._id) - Number(b._id))) {
      if (tooMany <= 0) return;
      const { gone, isEmpty } = await letListGo(store, list);
      tooMany -= gone;
      if (isEmpty) left--;
    }
    if (left === 0) await index.updateOne({ _id: SESSION_DAYS }, { $unset: { [`days.${day}`]: "" } });
  }
}

/** Deletes the sessions of a list that are not open, and takes them out of all lists. */
async function letListGo(
  store: Store,
  { _id, sessions = {} }: SessionListDocument,
): Promise<{ readonly gone: number; readonly isEmpty: boolean }> {
  const names = Object.entries(sessions).flatMap(([name, entry]) => (rankOf(entry) === OPEN ? [] : [name]));
  const isEmpty = names.length === Object.keys(sessions).length;
  const unset = (some: readonly string[]): Record<string, ""> =>
    Object.fromEntries(some.map((name) => [`sessions.${name}`, "" as const]));
  const days = store.collection<SessionListDocument>(collections.sessionDays);
  const byDay = Map.groupBy(names, (name) => {
    const { sensorId, start } = parseSessionId(idOfField(name));
    return sessionDayId(sensorId, start);
  });
  // The lists first: what is not listed is not found, and an interruption leaves nothing that is listed and gone.
  for (const [day, some] of byDay) await days.updateOne({ _id: day }, { $unset: unset(some) });
  const left = await days.find({ _id: { $in: [...byDay.keys()] } }).toArray();
  const sensors = store.collection<SensorDocument>(collections.sensors);
  const empty = left.filter((list) => Object.keys(list.sessions ?? {}).length === 0);
  await bulkUpsert(sensors, totalsUpdates(left.filter((list) => !empty.includes(list))));
  for (const list of empty) {
    const at = list._id.lastIndexOf("/");
    await sensors.updateOne({ _id: list._id.slice(0, at) }, { $unset: { [`days.${list._id.slice(at + 1)}`]: "" } });
    await days.deleteOne({ _id: list._id });
  }
  await store
    .collection<SessionDocument>(collections.sessions)
    .deleteMany({ _id: { $in: names.map((name) => idOfField(name)) } });
  const times = store.collection<SessionListDocument>(collections.sessionTimes);
  if (isEmpty) await times.deleteOne({ _id });
  else await times.updateOne({ _id }, { $unset: unset(names) });
  return { gone: names.length, isEmpty };
}
