import { join } from "node:path";
import type { Kafka } from "kafkajs";
import { appendModelControl } from "../processor/adapters/append-control.ts";
import { modelFiles } from "../processor/adapters/model-store.ts";
import { ModelRegistry } from "../processor/commands/model/registry.ts";

/** The model that comes with Millrace. */
const SHIPPED = join(import.meta.dirname, "..", "models", "activity");

/** Takes the shipped model into the store; on a new log it is made live, before any reading. */
export async function prepareModels(
  kafka: Kafka,
  environment: string,
  store: string,
  isNewLog: boolean,
): Promise<void> {
  const registry = new ModelRegistry(modelFiles(store, "local"));
  const { reference } = await registry.take(modelFiles(SHIPPED, "local"));
  if (!isNewLog) return;
  const control = await registry.control(reference.name, reference.version, "live");
  await appendModelControl(kafka, environment, control);
  await registry.record(control);
}
