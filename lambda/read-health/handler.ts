import { createKafka } from "../../adapters/kafka.ts";
import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import { queries } from "../../domain/api.ts";
import { collections } from "../../domain/names.ts";
import { pipelines } from "../../domain/pipelines.ts";
import { topics } from "../../domain/topics.ts";
import { NEWEST_WINDOW, type NewestDocument } from "../shared/documents.ts";
import { mongoDatabase } from "../shared/mongo.ts";
import { readParameters } from "../shared/parameters.ts";
import { json, restFunction } from "../shared/rest.ts";
import { check, healthOf, type StoreState } from "./health.ts";
import { groupReader } from "./processor-group.ts";

/** Limit of each check, so that the whole answer comes within two seconds. */
const CHECK_LIMIT_MS = 1_500;
/** Limit in the first call of an execution environment, which makes the connections: TLS on a seventh of a CPU. */
const COLD_LIMIT_MS = 7_000;
/** kafkajs needs a retry or two to find the brokers and the group's coordinator. */
const RETRY = { retries: 4, initialRetryTime: 30, maxRetryTime: 300 };

const settings = readSettings("rest", process.env);
const log = createLogger("read-health", settings.logLevel);
const kafka = createKafka(settings, "millrace-read-health", undefined, {
  connectionTimeout: COLD_LIMIT_MS,
  requestTimeout: CHECK_LIMIT_MS,
  retry: RETRY,
});
const readGroup = groupReader(kafka, pipelines.sensor.consumerGroup, topics.imuData.name);
const readMarketGroup = settings.pipelines.includes("market")
  ? groupReader(kafka, pipelines.market.consumerGroup, topics.trades.name)
  : undefined;
const withDatabase = mongoDatabase(settings, COLD_LIMIT_MS);
let limitMs = COLD_LIMIT_MS;

/** `GET /health`: 503 when a component is down. */
export const handler = restFunction(log, settings.corsOrigins, {
  "/health": async (event) => {
    readParameters(event, queries.none);
    const [group, store, market] = await Promise.all([
      check(limitMs, readGroup),
      check(limitMs, readStore),
      readMarketGroup && check(limitMs, readMarketGroup),
    ]);
    limitMs = CHECK_LIMIT_MS;
    for (const [component, { ok, ...outcome }] of Object.entries({
      kafka: group,
      mongodb: store,
      ...(market && { market }),
    }))
      if (!ok) log.warn({ component, ...outcome }, "health check failed");
    const health = healthOf(group, store, Date.now(), market);
    return json(health, health.status === "down" ? 503 : 200);
  },
});

async function readStore(): Promise<StoreState> {
  const newest = await withDatabase((db) =>
    db.collection<NewestDocument>(collections.newest).findOne({ _id: NEWEST_WINDOW }),
  );
  return { newestWindowEnd: newest?.end ?? null };
}
