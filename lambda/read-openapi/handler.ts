import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { API_VERSION, queries, restRoutes } from "../../domain/api.ts";
import { existingWhere } from "../../domain/pipelines.ts";
import { readParameters } from "../shared/parameters.ts";
import { commonHeaders } from "../shared/problems.ts";
import { json, restFunction } from "../shared/rest.ts";
import { openApiDocument } from "./document.ts";
import { docsPage } from "./page.ts";

const settings = readSettings("rest", process.env);
const log = createLogger("read-openapi", settings.logLevel);
const document = openApiDocument(
  API_VERSION,
  existingWhere(restRoutes, settings.pipelines),
  settings.tickets === "yes",
);
const page = docsPage(document);

/** `GET /openapi.json` and `GET /docs`. */
export const handler = restFunction(log, settings.corsOrigins, {
  "/openapi.json": (event) => {
    readParameters(event, queries.none);
    return json(document);
  },
  "/docs": (event) => {
    readParameters(event, queries.none);
    const headers = {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
      ...commonHeaders,
    };
    return { statusCode: 200, headers, body: page };
  },
});
