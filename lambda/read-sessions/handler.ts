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
import { switchedStore, type Store } from "../shared/runs.ts";
import { readable } from "../shared/unavailable.ts";
import {
  findSessions,
  listIds,
  listIdentity,
  reachOf,
  sensorsBefore,
  toSession,
  type Reads,
  type SessionQuery,
} from "./session-list.ts";

const settings = readSettings("rest", process.env);
const log = createLogger("read-sessions", settings.logLevel);
const withStore = switchedStore(mongoDatabase(settings, 2_000));

/** Sensors that a request reads, at most. */
const MOST_SENSORS = 10_000;

/** `GET /sessions` and `GET /sessions/{sessionId}`. */
export const handler = restFunction(log, settings.corsOrigins, {
  "/sessions": async (event) => {
    const query = readParameters(event, queries.sessions);
    const limit = query.limit ?? pageLimits.default;
    const { sessions, next } = await readable("MongoDB", () =>
      withStore(async (store) => {
        const days = Object.keys(await daysOf(store, query.sensorId)).map(Number);
        const sensors = await sensorsOf(store, query);
        return findSessions(query, listIds(query, days), sensors, limit, readsOf(store, query.sensorId));
      }),
    );
    return json({ items: sessions, next: next && encodeCursor(next, listIdentity(query)) });
  },
  "/sessions/{sessionId}": async (event) => {
    const { sessionId } = readParameters(event, queries.none, ["sessionId"]);
    const found = await readable("MongoDB", () => withStore((store) => sessionsOf(store).findOne({ _id: sessionId })));
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

function sessionsOf(store: Store): ReturnType<typeof store.collection<SessionDocument>> {
  return store.collection<SessionDocument>(collections.sessions);
}

/** The days on which sessions start, of a sensor or of all: the keys. */
async function daysOf(store: Store, sensorId: string | undefined): Promise<Readonly<Record<string, unknown>>> {
  const document =
    sensorId === undefined
      ? await store.collection<SessionDaysDocument>(collections.sessionTimes).findOne({ _id: SESSION_DAYS })
      : await store
          .collection<SensorDocument>(collections.sensors)
          .findOne({ _id: sensorId }, { projection: { days: 1 } });
  return document?.days ?? {};
}

/** The sensors of which `findSessions` looks for older sessions; null where all are wanted, or there are too many. */
async function sensorsOf(store: Store, query: SessionQuery): Promise<Set<string> | null> {
  const { sensorId } = query;
  const from = reachOf(query);
  if (from === undefined) return null;
  if (sensorId !== undefined) return new Set([sensorId]);
  const sensors = await store
    .collection<SensorDocument>(collections.sensors)
    .find({}, { projection: { firstSeen: 1, newestSession: 1 } })
    .limit(MOST_SENSORS + 1)
    .toArray();
  return sensors.length > MOST_SENSORS ? null : sensorsBefore(from, sensors);
}

function readsOf(store: Store, sensorId: string | undefined): Reads {
  const lists = store.collection<SessionListDocument>(
    sensorId === undefined ? collections.sessionTimes : collections.sessionDays,
  );
  return {
    lists: (ids) => lists.find({ _id: { $in: [...ids] } }).toArray(),
    sessions: (ids) =>
      sessionsOf(store)
        .find({ _id: { $in: [...ids] } })
        .toArray(),
  };
}
