import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { topics } from "../../domain/topics.ts";
import { opsFunction } from "../../ops/function.ts";
import { modelGets } from "../../ops/gets.ts";
import { LogReader } from "../../ops/log-reader.ts";
import { storeOf } from "../../ops/model-store.ts";
import { readModels } from "../../ops/models.ts";

const settings = readSettings("operators", process.env);
const log = createLogger("read-models", settings.logLevel);
const reader = new LogReader(settings, Date.now);
const registry = storeOf(settings);

/** `GET /ops/models`. */
export const handler = opsFunction(log, {
  gets: modelGets({ overview: () => readModels(registry, (limit) => reader.values(topics.inference.name, limit)) }),
});
