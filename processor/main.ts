import { writeMetrics } from "../adapters/embedded-metrics.ts";
import { type Health, startHealthServer } from "../adapters/health.ts";
import { createKafka } from "../adapters/kafka.ts";
import { createLogger } from "../adapters/log.ts";
import { programMetrics } from "../adapters/program-metrics.ts";
import { logUncaught, onShutdown } from "../adapters/shutdown.ts";
import { LOOPBACK } from "../config/local.ts";
import { readSettings } from "../config/settings.ts";
import { pipelines, processorPrograms } from "../domain/pipelines.ts";
import { pickSemantics } from "../domain/semantics.ts";
import { createDynamo } from "./adapters/dynamo-client.ts";
import { createCheckpointTable } from "./adapters/dynamo-snapshots.ts";
import { InputDrift } from "./adapters/input-drift.ts";
import { openModels } from "./adapters/model-store.ts";
import { engineObserver } from "./adapters/observer.ts";
import { openPipeline } from "./adapters/open-pipeline.ts";
import { startService } from "./adapters/service.ts";
import { defaultTaskOptions } from "./engine/task-options.ts";

logUncaught("processor");
const settings = readSettings("processor", process.env);
const metrics = programMetrics(processorPrograms[settings.pipeline]);
const logger = createLogger("processor", settings.logLevel, metrics);
if (settings.metricsLog === "emf") writeMetrics(metrics, settings.environment, "processor");
const kafka = createKafka(settings, "millrace-processor");
const dynamodb = createDynamo(settings);
if (settings.dynamodbEndpoint) await createCheckpointTable(dynamodb, settings.checkpointTable);

const refusedModels = new Map<string, string>();
const drift = new InputDrift(performance.now());
metrics.observe("processor.input-drift", () => drift.percent(performance.now()));
const models = openModels(settings, {
  refused: ({ name, version }, reason) => {
    refusedModels.set(`${name} ${version}`, reason);
    metrics.add("processor.models-refused");
    logger.error({ model: name, version, reason }, "model refused; the models before it continue to score");
  },
  // Somebody has looked, and rolled back or promoted another model.
  switched: () => refusedModels.clear(),
  fed: ({ reference, manifest }, readings) => drift.take(reference, manifest, readings, performance.now()),
});

const service = await startService({
  kafka,
  dynamodb,
  checkpointTable: settings.checkpointTable,
  keptSegmentBytes: settings.keptSegmentBytes,
  environment: settings.environment,
  groupId: pipelines[settings.pipeline].consumerGroup,
  delivery: settings.delivery,
  factory: openPipeline(settings.pipeline, models, {
    formerly: pickSemantics(settings),
    generation: settings.logGeneration,
  }),
  options: {
    ...defaultTaskOptions,
    commitIntervalMs: settings.commitIntervalMs,
    transactionsPerSecond: settings.transactionsPerSecond,
    snapshotIntervalMs: settings.snapshotIntervalMs,
    transactionTimeoutMs: settings.transactionTimeoutMs,
    maxUnsentOutputs: settings.maxUnsentOutputs,
    maxUnsentBytes: settings.maxUnsentBytes,
    maxProcessUnsentBytes: settings.maxProcessUnsentBytes,
    maxDeathsInStep: settings.maxDeathsInStep,
  },
  observer: engineObserver(logger, metrics),
  logger,
  onLost: (error) => {
    logger.error({ err: error }, "membership in the consumer group is lost; the process exits, to be started again");
    process.exit(1);
  },
});
const host = settings.dynamodbEndpoint ? LOOPBACK : "0.0.0.0";
if (settings.healthPort > 0)
  await startHealthServer(settings.healthPort, host, () => withRefusedModels(service.health(), refusedModels), metrics);

const SHUTDOWN_LIMIT_MS = 20_000;
onShutdown(logger, () => service.stop(), SHUTDOWN_LIMIT_MS);

/** A refused model stops nothing. The health says so because somebody must look at it. */
function withRefusedModels(health: Health, refused: ReadonlyMap<string, string>): Health {
  if (refused.size === 0) return health;
  const detail = [...refused].map(([model, reason]) => `${model} refused: ${reason}`).join("; ");
  const models = { status: "degraded", detail } as const;
  return { status: health.status === "ok" ? "degraded" : health.status, components: { ...health.components, models } };
}
