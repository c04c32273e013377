import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { opsFunction } from "../../ops/function.ts";
import { logGets } from "../../ops/gets.ts";
import { LogReader } from "../../ops/log-reader.ts";

const settings = readSettings("operators", process.env);
const log = createLogger("read-log", settings.logLevel);

/** `GET /ops/topics`, `/ops/groups` and `/ops/records`. */
export const handler = opsFunction(log, { gets: logGets(new LogReader(settings, Date.now)) });
