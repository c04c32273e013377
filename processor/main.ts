import { type Health, startHealthServer } from "../adapters/health.ts";
import { createKafka } from "../adapters/kafka.ts";
import { createLogger } from "../adapters/log.ts";
import { Metrics } from "../adapters/metrics.ts";
import { onShutdown } from "../adapters/shutdown.ts";
import { LOOPBACK } from "../config/local.ts";
import { readSettings } from "../config/settings.ts";
import { consumerGroups } from "../domain/names.ts";
import { pickSemantics } from "../domain/semantics.ts";
import { createDynamo } from "./adapters/dynamo-client.ts";
import { createCheckpointTable } from "./adapters/dynamo-snapshots.ts";
import { sensorMachineFactory } from "./adapters/machine-factory.ts";
import { modelFiles, ModelStore } from "./adapters/model-store.ts";
import { engineObserver } from "./adapters/observer.ts";
import { startService } from "./adapters/service.ts";
import { defaultTaskOptions } from "./engine/task.ts";
import { noModels, type ScoringPorts } from "./inference/scoring.ts";

const settings = readSettings("processor", process.env);
const logger = createLogger("processor", settings.logLevel);
const metrics = new Metrics();
const kafka = createKafka(settings, "millrace-processor");
const dynamodb = createDynamo(settings);
if (settings.dynamodbEndpoint) await createCheckpointTable(dynamodb, settings.checkpointTable);

const refusedModels = new Map<string, string>();
const scoring: ScoringPorts = {
  source: settings.modelSource ? new ModelStore(modelFiles(settings.modelSource, settings.region)) : noModels,
  refused: ({ name, version }, reason) => {
    refusedModels.set(`${name} ${version}`, reason);
    metrics.add("processor.models-refused");
    logger.error({ model: name, version, reason }, "model refused; what scored before goes on");
  },
};

const service = await startService({
  kafka,
  dynamodb,
  checkpointTable: settings.checkpointTable,
  environment: settings.environment,
  groupId: consumerGroups.sensorProcessor,
  delivery: settings.delivery,
  factory: sensorMachineFactory(pickSemantics(settings), scoring),
  options: {
    ...defaultTaskOptions,
    commitIntervalMs: settings.commitIntervalMs,
    snapshotIntervalMs: settings.snapshotIntervalMs,
  },
  observer: engineObserver(logger, metrics),
  logger,
  onLost: (error) => {
    logger.error(
      { err: error },
      "the membership in the consumer group is lost; the process ends so that it starts anew",
    );
    process.exit(1);
  },
});
const host = settings.dynamodbEndpoint ? LOOPBACK : "0.0.0.0";
if (settings.healthPort > 0)
  await startHealthServer(settings.healthPort, host, () => withRefusedModels(service.health(), refusedModels), metrics);

const SHUTDOWN_LIMIT_MS = 20_000;
onShutdown(() => service.stop(), SHUTDOWN_LIMIT_MS);

/** A refused model doesn't stop anything, but somebody has to know. */
function withRefusedModels(health: Health, refused: ReadonlyMap<string, string>): Health {
  if (refused.size === 0) return health;
  const models = {
    status: "degraded",
    detail: [...refused].map(([model, reason]) => `${model} refused: ${reason}`).join("; "),
  } as const;
  return { status: health.status === "ok" ? "degraded" : health.status, components: { ...health.components, models } };
}
