import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { pageLimits, queries } from "../../domain/api.ts";
import { collections } from "../../domain/names.ts";
import { toPage } from "../shared/cursor.ts";
import type { SessionDocument } from "../shared/documents.ts";
import { mongoDatabase } from "../shared/mongo.ts";
import { readParameters } from "../shared/parameters.ts";
import { ProblemError } from "../shared/problems.ts";
import { json, restFunction } from "../shared/rest.ts";
import { readable } from "../shared/unavailable.ts";
import { listIdentity, sessionFilter, toSession } from "./session-list.ts";

const settings = readSettings("rest", process.env);
const log = createLogger("read-sessions", settings.logLevel);
const database = mongoDatabase(settings, 2_000);

/** `GET /sessions` and `GET /sessions/{sessionId}`. */
export const handler = restFunction(log, settings.corsOrigins, {
  "/sessions": async (event) => {
    const query = readParameters(event, queries.sessions);
    const filter = sessionFilter(query);
    const limit = query.limit ?? pageLimits.default;
    const found = await readable("MongoDB", async () =>
      sessionsOf(await database())
        .find(filter)
        .sort({ start: -1, _id: -1 })
        .limit(limit + 1)
        .toArray(),
    );
    return json(toPage(found, limit, listIdentity(query), ({ start, _id }) => ({ value: start, id: _id }), toSession));
  },
  "/sessions/{sessionId}": async (event) => {
    const { sessionId } = readParameters(event, queries.none, ["sessionId"]);
    const found = await readable("MongoDB", async () => sessionsOf(await database()).findOne({ _id: sessionId }));
    if (!found || found.superseded)
      throw new ProblemError(
        "not-found",
        found ? `session ${sessionId} is now part of an earlier one of its sensor` : `there is no session ${sessionId}`,
      );
    return json(toSession(found));
  },
});

function sessionsOf(db: Awaited<ReturnType<typeof database>>): ReturnType<typeof db.collection<SessionDocument>> {
  return db.collection<SessionDocument>(collections.sessions);
}
