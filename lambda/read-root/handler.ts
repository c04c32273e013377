import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { queries, type Root } from "../../domain/api.ts";
import { readParameters } from "../shared/parameters.ts";
import { json, restFunction } from "../shared/rest.ts";
import { version } from "../shared/version.ts";

const settings = readSettings("rest", process.env);
const log = createLogger("read-root", settings.logLevel);

/** `GET /`, and the answer to every request that no route takes. */
export const handler = restFunction(log, {
  "/": (event) => {
    readParameters(event, queries.none);
    const links = {
      self: "/",
      health: "/health",
      sessions: "/sessions",
      sensors: "/sensors",
      openapi: "/openapi.json",
      docs: "/docs",
    };
    return json({ name: "millrace", version, environment: settings.environment, links } satisfies Root);
  },
});
