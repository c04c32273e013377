import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { opsFunction } from "../../ops/function.ts";
import { letterPost, letterSender } from "../../ops/letters.ts";

const settings = readSettings("operators", process.env);
const log = createLogger("send-letter", settings.logLevel);

/** `POST /ops/dead-letters`. */
export const handler = opsFunction(log, { posts: { "/ops/dead-letters": letterPost(letterSender(settings)) } });
