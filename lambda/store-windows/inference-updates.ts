import { generationOf } from "../../domain/names.ts";
import { readRecordId, type InferenceRecord } from "../../domain/records.ts";
import type { EpochMs } from "../../domain/time.ts";
import {
  INFERENCES,
  startOf,
  WINDOWS_MS,
  windowsDocumentId,
  type SensorDocument,
  type StoredInference,
  type WindowsDocument,
} from "../shared/documents.ts";
import { fieldName } from "../shared/field-names.ts";
import { MergedUpdates } from "../shared/merged-updates.ts";
import type { UpdateOne } from "../shared/mongo.ts";
import { revised } from "../shared/revised.ts";
import { addSighting } from "../shared/sensor-updates.ts";
import type { Kept } from "./window-updates.ts";

/** An inference and the timestamp of its Kafka record. */
export interface StampedInference {
  readonly inference: InferenceRecord;
  readonly timestamp: EpochMs;
}

/** The updates that write inferences, and those of their sensors: of several for one time the last in the log stays. */
export function inferenceUpdates(
  inferences: readonly StampedInference[],
  { windowsMs, sensorsMs }: Kept,
): { readonly windows: UpdateOne<WindowsDocument>[]; readonly sensors: UpdateOne<SensorDocument>[] } {
  const windows = new MergedUpdates<WindowsDocument>();
  const sensors = new MergedUpdates<SensorDocument>();
  for (const { inference, timestamp } of inferences) {
    const { id, sensorId, window, label, probabilities, model } = inference;
    const { start } = window;
    const expireAt = new Date(timestamp + windowsMs);
    const stored: StoredInference = { window, label, probabilities, model: `${model.name} ${model.version}` };
    const document = windowsDocumentId(sensorId, INFERENCES, startOf(start, WINDOWS_MS.document));
    windows.max(document, `windows.${fieldName(String(start))}`, revised(rankOfId(id), stored));
    windows.max(document, "expireAt", expireAt);
    addSighting(sensors, { sensorId, first: start, last: start, timestamp }, sensorsMs);
    sensors.max(sensorId, `hours.${INFERENCES}.${startOf(start, WINDOWS_MS.index)}`, expireAt);
  }
  return { windows: windows.all, sensors: sensors.all };
}

function rankOfId(id: string): [generation: number, offset: number, n: number] {
  const read = readRecordId(id);
  if (read === null) return [0, 0, 0];
  const { source, position } = read;
  return [generationOf(source.slice(0, source.lastIndexOf("/"))), position.offset, position.n];
}
