import { GetRecordCommand } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { pageLimits, queries, type SensorFeatures } from "../../domain/api.ts";
import { featureGroups } from "../../domain/features.ts";
import { collections } from "../../domain/names.ts";
import { toPage } from "../shared/cursor.ts";
import type { SensorDocument, SessionDocument, WindowDocument } from "../shared/documents.ts";
import { featureStoreClient } from "../shared/feature-store.ts";
import { toFeatures } from "../shared/features.ts";
import { mongoDatabase } from "../shared/mongo.ts";
import { readParameters } from "../shared/parameters.ts";
import { ProblemError } from "../shared/problems.ts";
import { json, restFunction } from "../shared/rest.ts";
import { readable } from "../shared/unavailable.ts";
import {
  sensorFilter,
  sensorListIdentity,
  sessionTotals,
  toSensor,
  toWindow,
  windowFilter,
  windowListIdentity,
  type SessionTotals,
} from "./lists.ts";

const settings = readSettings("rest", process.env);
const log = createLogger("read-sensors", settings.logLevel);
const database = mongoDatabase(settings, 2_000);
const featureStore = featureStoreClient(settings.region, settings.featureStoreEndpoint);

/** `GET /sensors`, `GET /sensors/{sensorId}/windows` and `GET /sensors/{sensorId}/features`. */
export const handler = restFunction(log, settings.corsOrigins, {
  "/sensors": async (event) => {
    const query = readParameters(event, queries.sensors);
    const filter = sensorFilter(query);
    const limit = query.limit ?? pageLimits.default;
    const { found, totals } = await readable("MongoDB", async () => {
      const db = await database();
      const found = await db
        .collection<SensorDocument>(collections.sensors)
        .find(filter)
        .sort({ firstSeen: -1, _id: -1 })
        .limit(limit + 1)
        .toArray();
      const totals = await db
        .collection<SessionDocument>(collections.sessions)
        .aggregate<SessionTotals>(sessionTotals(found.slice(0, limit).map(({ _id }) => _id)))
        .toArray();
      return { found, totals: new Map(totals.map((total) => [total._id, total])) };
    });
    return json(
      toPage(
        found,
        limit,
        sensorListIdentity,
        ({ firstSeen, _id }) => ({ value: firstSeen, id: _id }),
        (document) => toSensor(document, totals.get(document._id)),
      ),
    );
  },
  "/sensors/{sensorId}/windows": async (event) => {
    const { sensorId, ...query } = readParameters(event, queries.windows, ["sensorId"]);
    const filter = windowFilter(sensorId, query, new Date());
    const limit = query.limit ?? pageLimits.default;
    const found = await readable("MongoDB", async () => {
      const db = await database();
      const windows = await db
        .collection<WindowDocument>(collections.windows)
        .find(filter)
        .sort({ start: -1, _id: -1 })
        .limit(limit + 1)
        .toArray();
      if (
        windows.length === 0 &&
        !(await db.collection<SensorDocument>(collections.sensors).findOne({ _id: sensorId }))
      )
        throw new ProblemError("not-found", `there is no sensor ${sensorId}`);
      return windows;
    });
    return json(
      toPage(
        found,
        limit,
        windowListIdentity(sensorId, query),
        ({ start, _id }) => ({ value: start, id: _id }),
        toWindow,
      ),
    );
  },
  "/sensors/{sensorId}/features": async (event) => {
    const { sensorId } = readParameters(event, queries.none, ["sensorId"]);
    const { featureGroup } = settings;
    if (!featureGroup) throw new ProblemError("unavailable", "this environment has no feature store");
    const { Record: record = [] } = await readable("the feature store", () =>
      featureStore.send(
        new GetRecordCommand({ FeatureGroupName: featureGroup, RecordIdentifierValueAsString: sensorId }),
      ),
    );
    if (record.length === 0) throw new ProblemError("not-found", `there are no features of a sensor ${sensorId}`);
    return json({ sensorId, ...toFeatures(featureGroups.sensorWindows, record) } satisfies SensorFeatures);
  },
});
