import { writeFileSync } from "node:fs";
import type { Db } from "mongodb";
import { withConnectionOptions } from "../../../adapters/command-line.ts";
import { createKafka } from "../../../adapters/kafka.ts";
import { createLogger } from "../../../adapters/log.ts";
import { runCommand } from "../../../adapters/run-command.ts";
import { localPorts, LOOPBACK } from "../../../config/local.ts";
import { readSettings } from "../../../config/settings.ts";
import { pickSemantics } from "../../../domain/semantics.ts";
import { eraseSensor } from "../../../lambda/shared/erase-sensor.ts";
import { featureStoreClient } from "../../../lambda/shared/feature-store.ts";
import { mongoDatabase } from "../../../lambda/shared/mongo.ts";
import { OfflineStores } from "../../../lambda/shared/offline-stores.ts";
import { createDynamo } from "../../adapters/dynamo-client.ts";
import { DynamoSnapshots } from "../../adapters/dynamo-snapshots.ts";
import { openModels } from "../../adapters/model-store.ts";
import { openPipeline } from "../../adapters/open-pipeline.ts";
import { parseEraseArguments } from "./arguments.ts";
import { erase, eraseOnlyLake, type EraseTarget } from "./erase.ts";
import { eraseFeatures } from "./features.ts";

/** Time until an unreachable store is an error. */
const STORE_LIMIT_MS = 10_000;

async function main(args: readonly string[]): Promise<void> {
  const { certificate: file, onlyLake, ...given } = parseEraseArguments(args);
  const { sensorId, lakeDir } = given;
  const env = { ...localEndpoints(process.env), ...withConnectionOptions(process.env, given) };
  const settings = readSettings("processor", env);
  const features = readSettings("checkFeatures", env);
  const store = readSettings("store", env);
  const models = openModels(settings);
  const withDatabase = mongoDatabase(store, STORE_LIMIT_MS);
  const target: EraseTarget = {
    ...given,
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
  const certificate = await (onlyLake && lakeDir !== undefined ? eraseOnlyLake({ ...target, lakeDir }) : erase(target));
  // First where nothing can go wrong: what is erased can't be counted again.
  console.log(JSON.stringify(certificate));
  writeFileSync(file, `${JSON.stringify(certificate, null, 2)}\n`);
  console.error(
    certificate.found
      ? `${sensorId} is erased; the certificate is ${file}`
      : `nothing of ${sensorId} was found: the sensor is unknown, or was erased before; the certificate is ${file}`,
  );
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
