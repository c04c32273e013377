import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { pageLimits, queries } from "../../domain/api.ts";
import { collections } from "../../domain/names.ts";
import { toPage } from "../shared/cursor.ts";
import type { DeadLetterDocument } from "../shared/letter-documents.ts";
import { mongoDatabase } from "../shared/mongo.ts";
import { readParameters } from "../shared/parameters.ts";
import { ProblemError } from "../shared/problems.ts";
import { json, restFunction } from "../shared/rest.ts";
import { readable } from "../shared/unavailable.ts";
import { letterFilter, letterListIdentity, toLetter, toListed } from "./letter-list.ts";

const settings = readSettings("rest", process.env);
const log = createLogger("read-dead-letters", settings.logLevel);
const withDatabase = mongoDatabase(settings, 2_000);

/** `GET /dead-letters` and `GET /dead-letters/{letterId}`. */
export const handler = restFunction(log, settings.corsOrigins, {
  "/dead-letters": async (event) => {
    const query = readParameters(event, queries.deadLetters);
    const limit = query.limit ?? pageLimits.default;
    const filter = letterFilter(query);
    const found = await readable("MongoDB", () =>
      withDatabase((db) =>
        db
          .collection<DeadLetterDocument>(collections.deadLetters)
          .find(filter, { projection: { payload: 0 } })
          .sort({ at: -1, _id: -1 })
          .limit(limit + 1)
          .toArray(),
      ),
    );
    return json(toPage(found, limit, letterListIdentity(query), ({ at, _id }) => ({ value: at, id: _id }), toListed));
  },
  "/dead-letters/{letterId}": async (event) => {
    const { letterId } = readParameters(event, queries.none, ["letterId"]);
    const found = await readable("MongoDB", () =>
      withDatabase((db) => db.collection<DeadLetterDocument>(collections.deadLetters).findOne({ _id: letterId })),
    );
    if (!found)
      throw new ProblemError(
        "not-found",
        `there is no dead letter ${letterId}, or it is not among the newest any more`,
      );
    return json(toLetter(found));
  },
});
