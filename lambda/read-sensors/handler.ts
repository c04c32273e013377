import { GetRecordCommand } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { ACTIVE_SENSORS, pageLimits, queries, type SensorFeatures } from "../../domain/api.ts";
import { featureGroups } from "../../domain/features.ts";
import { collections } from "../../domain/names.ts";
import { decodeCursor, encodeCursor, toPage } from "../shared/cursor.ts";
import type { SensorDocument, WindowsDocument } from "../shared/documents.ts";
import { featureStoreClient } from "../shared/feature-store.ts";
import { toFeatures } from "../shared/features.ts";
import type { RejectedDocument } from "../shared/letter-documents.ts";
import { mongoDatabase } from "../shared/mongo.ts";
import { readParameters } from "../shared/parameters.ts";
import { ProblemError } from "../shared/problems.ts";
import { json, restFunction } from "../shared/rest.ts";
import { switchedStore, type Store } from "../shared/runs.ts";
import { readable } from "../shared/unavailable.ts";
import { findActivity } from "./activity.ts";
import { activityListIdentity, sensorFilter, sensorListIdentity, toSensor, windowListIdentity } from "./lists.ts";
import { findWindows } from "./windows.ts";

const settings = readSettings("rest", process.env);
const log = createLogger("read-sensors", settings.logLevel);
const withStore = switchedStore(mongoDatabase(settings, 2_000));
const featureStore = featureStoreClient(settings.region, settings.featureStoreEndpoint);

/** The messages of sensors that were refused, by sensor. */
async function rejectedBySensor(
  store: Store,
  sensors: readonly SensorDocument[],
): Promise<Map<string, RejectedDocument>> {
  const found = await store
    .collection<RejectedDocument>(collections.rejected)
    .find({ _id: { $in: sensors.map(({ _id }) => _id) } })
    .toArray();
  return new Map(found.map((document) => [document._id, document]));
}

/** Runs `use` with a sensor, and with what reads documents of windows by their ids. */
function readSensor<T>(
  sensorId: string,
  use: (
    sensor: Pick<SensorDocument, "_id" | "hours" | "lastSeen">,
    read: (ids: readonly string[]) => Promise<readonly WindowsDocument[]>,
  ) => Promise<T>,
): Promise<T> {
  return readable("MongoDB", () =>
    withStore(async (store) => {
      const sensor = await store
        .collection<SensorDocument>(collections.sensors)
        .findOne({ _id: sensorId }, { projection: { hours: 1, lastSeen: 1 } });
      if (!sensor) throw new ProblemError("not-found", `there is no sensor ${sensorId}`);
      const documents = store.collection<WindowsDocument>(collections.windows);
      return use(sensor, (ids) => documents.find({ _id: { $in: [...ids] } }).toArray());
    }),
  );
}

/** `GET /sensors`, and of a sensor itself, its windows, its activity and its features. */
export const handler = restFunction(log, settings.corsOrigins, {
  "/sensors": async (event) => {
    const query = readParameters(event, queries.sensors);
    const filter = sensorFilter(query);
    const isActive = query.active !== undefined;
    const limit = query.limit ?? (isActive ? ACTIVE_SENSORS : pageLimits.default);
    const { found, rejected } = await readable("MongoDB", () =>
      withStore(async (store) => {
        const sensors = await store
          .collection<SensorDocument>(collections.sensors)
          .find(filter, { projection: { hours: 0 } })
          .sort({ [isActive ? "lastSeen" : "firstSeen"]: -1, _id: -1 })
          .limit(isActive ? Math.min(limit, ACTIVE_SENSORS) : limit + 1)
          .toArray();
        return { found: sensors, rejected: await rejectedBySensor(store, sensors) };
      }),
    );
    return json(
      toPage(
        found,
        limit,
        sensorListIdentity(query),
        ({ firstSeen, _id }) => ({ value: firstSeen, id: _id }),
        (sensor) => toSensor(sensor, rejected.get(sensor._id)),
      ),
    );
  },
  "/sensors/{sensorId}": async (event) => {
    const { sensorId } = readParameters(event, queries.none, ["sensorId"]);
    const sensor = await readable("MongoDB", () =>
      withStore(async (store) => {
        const found = await store
          .collection<SensorDocument>(collections.sensors)
          .findOne({ _id: sensorId }, { projection: { hours: 0 } });
        return found && toSensor(found, (await rejectedBySensor(store, [found])).get(sensorId));
      }),
    );
    if (!sensor) throw new ProblemError("not-found", `there is no sensor ${sensorId}`);
    return json(sensor);
  },
  "/sensors/{sensorId}/windows": async (event) => {
    const { sensorId, ...query } = readParameters(event, queries.windows, ["sensorId"]);
    const { from, to, cursor, limit = pageLimits.default } = query;
    const identity = windowListIdentity(sensorId, query);
    const after = cursor === undefined ? undefined : decodeCursor(cursor, identity);
    const { windows, next } = await readSensor(sensorId, (sensor, read) =>
      findWindows(sensor, { from, to, after }, { limit, nowMs: Date.now() }, read),
    );
    return json({ items: windows, next: next && encodeCursor(next, identity) });
  },
  "/sensors/{sensorId}/activity": async (event) => {
    const { sensorId, ...query } = readParameters(event, queries.activity, ["sensorId"]);
    const { from, to, cursor, limit = pageLimits.default } = query;
    const identity = activityListIdentity(sensorId, query);
    const before = cursor === undefined ? undefined : decodeCursor(cursor, identity).value;
    const { stretches, next } = await readSensor(sensorId, (sensor, read) =>
      findActivity(sensor, { from, to, before }, { limit, nowMs: Date.now() }, read),
    );
    return json({ items: stretches, next: next === null ? null : encodeCursor({ value: next, id: "" }, identity) });
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
