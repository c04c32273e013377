import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { queries, restRoutes, type Root } from "../../domain/api.ts";
import { existingWhere } from "../../domain/pipelines.ts";
import { readParameters } from "../shared/parameters.ts";
import { json, restFunction } from "../shared/rest.ts";
import { version } from "../shared/version.ts";

const settings = readSettings("rest", process.env);
const log = createLogger("read-root", settings.logLevel);

const links = {
  self: "/",
  health: "/health",
  sessions: "/sessions",
  sensors: "/sensors",
  ...(settings.pipelines.includes("market") ? { symbols: "/symbols", positions: "/positions", alerts: "/alerts" } : {}),
  openapi: "/openapi.json",
  docs: "/docs",
};

/** `GET /`, and the answer to every request that no route takes. */
export const handler = restFunction(
  log,
  settings.corsOrigins,
  {
    "/": (event) => {
      readParameters(event, queries.none);
      return json({ name: "millrace", version, environment: settings.environment, links } satisfies Root);
    },
  },
  existingWhere(restRoutes, settings.pipelines),
);
