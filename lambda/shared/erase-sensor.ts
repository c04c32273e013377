import type { Collection, Db, Document } from "mongodb";
import { collections } from "../../domain/names.ts";
import type {
  SensorDocument,
  SessionDaysDocument,
  SessionDocument,
  SessionListDocument,
  WindowsDocument,
} from "./documents.ts";
import { idOfField } from "./field-names.ts";
import type { DeadLetterDocument, RejectedDocument } from "./letter-documents.ts";

/**
 * Deletes all that the store has of a sensor, and gives what it deleted by collection: documents; in `session-times`,
 * whose documents list the sessions of all sensors, entries.
 */
export async function eraseSensor(db: Db, sensorId: string): Promise<Record<string, number>> {
  const { windows, sessions, sessionDays, sessionTimes, sensors, deadLetters, rejected } = collections;
  return {
    [windows]: await deleteByPrefix(db.collection<WindowsDocument>(windows), `${sensorId}/`),
    [sessions]: await deleteByPrefix(db.collection<SessionDocument>(sessions), `${sensorId}@`),
    [sessionDays]: await deleteByPrefix(db.collection<SessionListDocument>(sessionDays), `${sensorId}/`),
    [sessionTimes]: await deleteEntries(
      db.collection<SessionListDocument | SessionDaysDocument>(sessionTimes),
      `${sensorId}@`,
    ),
    [sensors]: (await db.collection<SensorDocument>(sensors).deleteOne({ _id: sensorId })).deletedCount,
    [deadLetters]: (await db.collection<DeadLetterDocument>(deadLetters).deleteMany({ sensorId })).deletedCount,
    [rejected]: (await db.collection<RejectedDocument>(rejected).deleteOne({ _id: sensorId })).deletedCount,
  };
}

/** No id of a sensor has the last character of the prefix, so no other sensor's ids begin with it. */
async function deleteByPrefix<D extends Document & { readonly _id: string }>(
  collection: Collection<D>,
  prefix: string,
): Promise<number> {
  const behind = prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
  const { deletedCount } = await (collection as unknown as Collection<{ readonly _id: string }>).deleteMany({
    _id: { $gte: prefix, $lt: behind },
  });
  return deletedCount;
}

async function deleteEntries(
  collection: Collection<SessionListDocument | SessionDaysDocument>,
  prefix: string,
): Promise<number> {
  let deleted = 0;
  for await (const document of collection.find()) {
    const sessions = "sessions" in document ? (document.sessions ?? {}) : {};
    const fields = Object.keys(sessions).filter((field) => idOfField(field).startsWith(prefix));
    if (fields.length === 0) continue;
    const $unset = Object.fromEntries(fields.map((field) => [`sessions.${field}`, "" as const]));
    await collection.updateOne({ _id: document._id }, { $unset });
    deleted += fields.length;
  }
  return deleted;
}
