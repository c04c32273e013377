import { collections } from "../../domain/names.ts";
import type { EpochMs } from "../../domain/time.ts";
import {
  WINDOWS_MS,
  windowsDocumentId,
  type SensorDocument,
  type SessionListDocument,
  type WindowsDocument,
} from "../shared/documents.ts";
import type { Store } from "../shared/runs.ts";

/**
 * Deletes the windows of hours in which all have expired, and takes these hours out of the sensors' documents. Where an
 * index expires documents, the windows are gone already.
 */
export async function letWindowsGo(store: Store, now: EpochMs): Promise<void> {
  const sensors = store.collection<SensorDocument>(collections.sensors);
  for await (const { _id: sensorId, hours = {} } of sensors.find({}, { projection: { hours: 1 } }))
    for (const [operator, ofOperator] of Object.entries(hours))
      for (const [hour, expireAt] of Object.entries(ofOperator)) {
        if (expireAt.getTime() > now) continue;
        await deleteHour(store, sensorId, operator, Number(hour));
        // Not where a late window has just been written.
        const field = `hours.${operator}.${hour}`;
        await sensors.updateOne({ _id: sensorId, [field]: expireAt }, { $unset: { [field]: "" } });
      }
}

async function deleteHour(store: Store, sensorId: string, operator: string, hour: EpochMs): Promise<void> {
  const ids = Array.from({ length: WINDOWS_MS.index / WINDOWS_MS.document }, (_, i) =>
    windowsDocumentId(sensorId, operator, hour + i * WINDOWS_MS.document),
  );
  await store.collection<WindowsDocument>(collections.windows).deleteMany({ _id: { $in: ids } });
}

/** Where there are more than `most` sensors, lets those not heard for longest go, with their windows and lists. */
export async function letSensorsGo(store: Store, most: number): Promise<void> {
  const sensors = store.collection<SensorDocument>(collections.sensors);
  const tooMany = (await sensors.estimatedDocumentCount()) - most;
  if (tooMany <= 0) return;
  const all = await sensors.find().toArray();
  for (const { _id: sensorId, hours = {}, days = {} } of all
    .toSorted((a, b) => a.lastSeen - b.lastSeen)
    .slice(0, tooMany)) {
    for (const [operator, ofOperator] of Object.entries(hours))
      for (const hour of Object.keys(ofOperator)) await deleteHour(store, sensorId, operator, Number(hour));
    await store
      .collection<SessionListDocument>(collections.sessionDays)
      .deleteMany({ _id: { $in: Object.keys(days).map((day) => `${sensorId}/${day}`) } });
    await sensors.deleteOne({ _id: sensorId });
  }
}
