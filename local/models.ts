import { join } from "node:path";
import type { Kafka } from "kafkajs";
import { makeChange } from "../adapters/control-records.ts";
import { controlTypes, topics } from "../domain/topics.ts";
import { modelFiles } from "../processor/adapters/model-files.ts";
import { ModelRegistry } from "../processor/commands/model/registry.ts";

/** Folder of the model that comes with Millrace. */
const SHIPPED = join(import.meta.dirname, "..", "models", "activity");

/** Copies the shipped model into the store. In a new log it becomes live before the first reading. */
export async function prepareModels(kafka: Kafka, store: string, isNewLog: boolean): Promise<void> {
  const registry = new ModelRegistry(modelFiles(store, "local"));
  const { reference } = await registry.take(modelFiles(SHIPPED, "local"));
  if (!isNewLog) return;
  const control = await registry.control(reference.name, reference.version, "live");
  const change = { topic: topics.imuData.name, type: controlTypes.model, value: JSON.stringify(control) };
  await makeChange(kafka, change);
  await registry.record(control);
}
