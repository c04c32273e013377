import { GetRecordCommand } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { pageLimits, queries, type SymbolFeatures } from "../../domain/api.ts";
import { barFeaturesId, featureGroups } from "../../domain/features.ts";
import { barOperators } from "../../domain/market.ts";
import { collections } from "../../domain/names.ts";
import { decodeCursor, encodeCursor, toPage } from "../shared/cursor.ts";
import { featureStoreClient } from "../shared/feature-store.ts";
import { toFeatures } from "../shared/features.ts";
import {
  type AlertDocument,
  type BarsDocument,
  type PositionsDocument,
  type SymbolDocument,
} from "../shared/market-documents.ts";
import { mongoDatabase } from "../shared/mongo.ts";
import { readParameters } from "../shared/parameters.ts";
import { ProblemError } from "../shared/problems.ts";
import { json, restFunction } from "../shared/rest.ts";
import { readable } from "../shared/unavailable.ts";
import { findBars } from "./bars.ts";
import {
  alertFilter,
  alertListIdentity,
  placeOf,
  positionDocuments,
  positionListIdentity,
  positionsAfter,
  symbolFilter,
  symbolListIdentity,
  toAlert,
  toSymbol,
} from "./lists.ts";

const settings = readSettings("rest", process.env);
const log = createLogger("read-market", settings.logLevel);
const withDatabase = mongoDatabase(settings, 2_000);
const featureStore = featureStoreClient(settings.region, settings.featureStoreEndpoint);

/** The routes of the market. */
export const handler = restFunction(log, settings.corsOrigins, {
  "/symbols": async (event) => {
    const query = readParameters(event, queries.symbols);
    const filter = symbolFilter(query, new Date());
    const limit = query.limit ?? pageLimits.default;
    const found = await readable("MongoDB", () =>
      withDatabase((db) =>
        db
          .collection<SymbolDocument>(collections.symbols)
          .find(filter)
          .sort({ lastSeen: -1, _id: -1 })
          .limit(limit + 1)
          .toArray(),
      ),
    );
    return json(
      toPage(found, limit, symbolListIdentity, ({ lastSeen, _id }) => ({ value: lastSeen, id: _id }), toSymbol),
    );
  },
  "/symbols/{symbol}/bars": async (event) => {
    const { symbol, ...query } = readParameters(event, queries.bars, ["symbol"]);
    const { operator = barOperators[0]!, from, to, limit = pageLimits.default } = query;
    const identity = ["bars", symbol, operator, from, to];
    const before = query.cursor === undefined ? undefined : decodeCursor(query.cursor, identity).value;
    const { bars, next } = await readable("MongoDB", () =>
      withDatabase(async (db) => {
        const known = await db.collection<SymbolDocument>(collections.symbols).findOne({ _id: symbol });
        if (!known) throw new ProblemError("not-found", `there is no symbol ${symbol}`);
        const documents = db.collection<BarsDocument>(collections.bars);
        return findBars(
          { symbol, operator, from, to, before },
          known.bars?.[operator],
          { limit, nowMs: Date.now() },
          (ids) => documents.find({ _id: { $in: [...ids] } }).toArray(),
        );
      }),
    );
    return json({ items: bars, next: next === null ? null : encodeCursor({ value: next, id: "" }, identity) });
  },
  "/symbols/{symbol}/features": async (event) => {
    const { symbol } = readParameters(event, queries.none, ["symbol"]);
    const { marketFeatureGroup } = settings;
    if (!marketFeatureGroup) throw new ProblemError("unavailable", "this environment has no feature store");
    const records = await readable("the feature store", () =>
      Promise.all(
        barOperators.map(async (operator) => {
          const { Record: record = [] } = await featureStore.send(
            new GetRecordCommand({
              FeatureGroupName: marketFeatureGroup,
              RecordIdentifierValueAsString: barFeaturesId(symbol, operator),
            }),
          );
          return { operator, record };
        }),
      ),
    );
    const operators = records
      .filter(({ record }) => record.length > 0)
      .map(({ operator, record }) => ({ operator, ...toFeatures(featureGroups.marketBars, record) }));
    if (operators.length === 0) throw new ProblemError("not-found", `there are no features of a symbol ${symbol}`);
    return json({ symbol, operators } satisfies SymbolFeatures);
  },
  "/positions": async (event) => {
    const query = readParameters(event, queries.positions);
    const limit = query.limit ?? pageLimits.default;
    const identity = positionListIdentity(query);
    const place = query.cursor === undefined ? undefined : decodeCursor(query.cursor, identity);
    const documents = await readable("MongoDB", () =>
      withDatabase((db) =>
        db
          .collection<PositionsDocument>(collections.positions)
          .find({ _id: { $in: positionDocuments(query) } })
          .toArray(),
      ),
    );
    const found = positionsAfter(documents, query, place, limit);
    return json(toPage(found, limit, identity, placeOf, (position) => position));
  },
  "/alerts": async (event) => {
    const query = readParameters(event, queries.alerts);
    const filter = alertFilter(query, new Date());
    const limit = query.limit ?? pageLimits.default;
    const found = await readable("MongoDB", () =>
      withDatabase((db) =>
        db
          .collection<AlertDocument>(collections.alerts)
          .find(filter)
          .sort({ timestamp: -1, _id: -1 })
          .limit(limit + 1)
          .toArray(),
      ),
    );
    return json(
      toPage(found, limit, alertListIdentity(query), ({ timestamp, _id }) => ({ value: timestamp, id: _id }), toAlert),
    );
  },
});
