import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { pageLimits, queries } from "../../domain/api.ts";
import { collections } from "../../domain/names.ts";
import { encodeCursor } from "../shared/cursor.ts";
import {
  SESSION_DAYS,
  type SensorDocument,
  type SessionDaysDocument,
  type SessionDocument,
  type SessionListDocument,
} from "../shared/documents.ts";
import { mongoDatabase } from "../shared/mongo.ts";
import { readParameters } from "../shared/parameters.ts";
import { ProblemError } from "../shared/problems.ts";
import { json, restFunction } from "../shared/rest.ts";
import { readable } from "../shared/unavailable.ts";
import { findSessions, listIds, listIdentity, toSession, type Reads } from "./session-list.ts";

const settings = readSettings("rest", process.env);
const log = createLogger("read-sessions", settings.logLevel);
const database = mongoDatabase(settings, 2_000);

type Db = Awaited<ReturnType<typeof database>>;

/** `GET /sessions` and `GET /sessions/{sessionId}`. */
export const handler = restFunction(log, settings.corsOrigins, {
  "/sessions": async (event) => {
    const query = readParameters(event, queries.sessions);
    const limit = query.limit ?? pageLimits.default;
    const { sessions, next } = await readable("MongoDB", async () => {
      const db = await database();
      const days = Object.keys(await daysOf(db, query.sensorId)).map(Number);
      return findSessions(query, listIds(query, days), limit, readsOf(db, query.sensorId));
    });
    return json({ items: sessions, next: next && encodeCursor(next, listIdentity(query)) });
  },
  "/sessions/{sessionId}": async (event) => {
    const { sessionId } = readParameters(event, queries.none, ["sessionId"]);
    const found = await readable("MongoDB", async () => sessionsOf(await database()).findOne({ _id: sessionId }));
    const session = toSession(found);
    if (!session)
      throw new ProblemError(
        "not-found",
        found?.superseded
          ? `session ${sessionId} is now part of an earlier one of its sensor`
          : `there is no session ${sessionId}`,
      );
    return json(session);
  },
});

function sessionsOf(db: Db): ReturnType<typeof db.collection<SessionDocument>> {
  return db.collection<SessionDocument>(collections.sessions);
}

/** The days on which sessions start, of a sensor or of all: the keys. */
async function daysOf(db: Db, sensorId: string | undefined): Promise<Readonly<Record<string, unknown>>> {
  const document =
    sensorId === undefined
      ? await db.collection<SessionDaysDocument>(collections.sessionTimes).findOne({ _id: SESSION_DAYS })
      : await db
          .collection<SensorDocument>(collections.sensors)
          .findOne({ _id: sensorId }, { projection: { days: 1 } });
  return document?.days ?? {};
}

function readsOf(db: Db, sensorId: string | undefined): Reads {
  const lists = db.collection<SessionListDocument>(
    sensorId === undefined ? collections.sessionTimes : collections.sessionDays,
  );
  return {
    lists: (ids) => lists.find({ _id: { $in: [...ids] } }).toArray(),
    sessions: (ids) =>
      sessionsOf(db)
        .find({ _id: { $in: [...ids] } })
        .toArray(),
  };
}
