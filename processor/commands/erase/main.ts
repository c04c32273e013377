import { writeFileSync } from "node:fs";
import type { Db } from "mongodb";
import { withConnectionOptions } from "../../../adapters/command-line.ts";
import { createKafka } from "../../../adapters/kafka.ts";
import { createLogger } from "../../../adapters/log.ts";
import { runCommand } from "../../../adapters/run-command.ts";
import { localPorts, LOOPBACK } from "../../../config/local.ts";
import { readSettings } from "../../../config/settings.ts";
import { pickSemantics } from "../../../domain/semantics.ts";
import { SECOND, type Milliseconds } from "../../../domain/time.ts";
import { eraseSensor } from "../../../lambda/shared/erase-sensor.ts";
import { featureStoreClient } from "../../../lambda/shared/feature-store.ts";
import { mongoDatabase } from "../../../lambda/shared/mongo.ts";
import { OfflineStores } from "../../../lambda/shared/offline-stores.ts";
import { createDynamo } from "../../adapters/dynamo-client.ts";
import { DynamoSnapshots } from "../../adapters/dynamo-snapshots.ts";
import { withLake } from "../../adapters/lake-copy.ts";
import { lakePlace } from "../../adapters/lake-place.ts";
import { openModels } from "../../adapters/model-store.ts";
import { openPipeline } from "../../adapters/open-pipeline.ts";
import { parseEraseArguments } from "./arguments.ts";
import { erase, type EraseLake, type EraseTarget } from "./erase.ts";
import { eraseFeatures } from "./features.ts";

/** How long it may wait, besides for Firehose. */
const LIMIT_MS = 300 * SECOND;
/** Time until an unreachable store is an error. */
const STORE_LIMIT_MS = 10_000;

async function main(args: readonly string[]): Promise<void> {
  const given = parseEraseArguments(args);
  const { sensorId } = given;
  const env = { ...localEndpoints(process.env), ...withConnectionOptions(process.env, given) };
  const settings = readSettings("processor", env);
  const features = readSettings("checkFeatures", env);
  const store = readSettings("store", env);
  const { lakeBufferMs } = readSettings("erase", env);
  const models = openModels(settings);
  const withDatabase = mongoDatabase(store, STORE_LIMIT_MS);
  const target: EraseTarget = {
    sensorId,
    limitMs: given.limitMs ?? LIMIT_MS + 2 * lakeBufferMs,
    lake: given.lake === undefined ? null : eraseLakeOf(given.lake, settings.region, lakeBufferMs),
    kafka: createKafka(settings, "millrace-erase"),
    snapshots: new DynamoSnapshots(createDynamo(settings), settings.checkpointTable),
    open: (generation) => openPipeline("sensor", models, { formerly: pickSemantics(settings), generation }),
    generation: settings.logGeneration,
    eraseStore: () => withDatabase((db) => eraseAndClose(db, sensorId)),
    eraseFeatures: () =>
      eraseFeatures(
        featureStoreClient(features.region, features.featureStoreEndpoint),
        new OfflineStores(features),
        features.featureGroup,
        sensorId,
      ),
    logger: createLogger("erase", settings.logLevel),
    report: console.error,
  };
  const certificate = await erase(target);
  // First where nothing can go wrong: what is erased can't be counted again.
  console.log(JSON.stringify(certificate));
  // A task on AWS has no disk that stays: whoever started it has what is printed.
  const file = given.certificate ?? (settings.environment === "local" ? `erased-${sensorId}.json` : undefined);
  if (file !== undefined) writeFileSync(file, `${JSON.stringify(certificate, null, 2)}\n`);
  const where = file === undefined ? "" : `; the certificate is ${file}`;
  console.error(
    certificate.found
      ? `${sensorId} is erased${where}`
      : `nothing of ${sensorId} was found: the sensor is unknown, or was erased before${where}`,
  );
}

function eraseLakeOf(lake: string, region: string, bufferMs: Milliseconds): EraseLake {
  const log = { lake, tables: ["raw"], region, report: console.error } as const;
  return { name: lake, place: lakePlace(lake, region), bufferMs, withLog: (use) => withLake(log, use) };
}

async function eraseAndClose(db: Db, sensorId: string): Promise<Record<string, number>> {
  try {
    return await eraseSensor(db, sensorId);
  } finally {
    await db.client.close();
  }
}

/** Where `npm start` has what has no default of its own. Elsewhere the environment says it. */
function localEndpoints(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  if ((env["MILLRACE_ENV"] ?? "local") !== "local") return {};
  const at = (port: number): string => `http://${LOOPBACK}:${port}`;
  return {
    DYNAMODB_ENDPOINT: at(localPorts.dynamodb),
    FEATURE_STORE_ENDPOINT: at(localPorts.features),
    OFFLINE_STORE_ENDPOINT: at(localPorts.features),
  };
}

await runCommand(main);
