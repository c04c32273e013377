// The local event source: polls Kafka and invokes the Lambda functions of the event source mappings.
import { startHealthServer } from "../../adapters/health.ts";
import { openCluster } from "../../adapters/kafka-cluster.ts";
import { createKafka } from "../../adapters/kafka.ts";
import { createLogger } from "../../adapters/log.ts";
import { programMetrics } from "../../adapters/program-metrics.ts";
import { mergePrometheusTexts } from "../../adapters/prometheus.ts";
import { logUncaught, onShutdown } from "../../adapters/shutdown.ts";
import { LOOPBACK } from "../../config/local.ts";
import { readSettings } from "../../config/settings.ts";
import type { FunctionName } from "../../domain/api.ts";
import { eventSourceMappings } from "../../domain/event-source-mappings.ts";
import { existingWhere, pipelines } from "../../domain/pipelines.ts";
import { topics } from "../../domain/topics.ts";
import { functionMetrics, hasHandler, loadFunction, type FunctionMetrics, type Invoke } from "../lambda/invoke.ts";
import { committedOffsets } from "./group-offsets.ts";
import { groupLags, type GroupProgress } from "./lag.ts";
import { KAFKA_RETRY, Poller } from "./poller.ts";

const LAG_INTERVAL_MS = 5_000;

logUncaught("event-source");
const settings = readSettings("eventSource", process.env);
const metrics = programMetrics("event-source");
const log = createLogger("event-source", settings.logLevel, metrics);
const kafka = createKafka(settings, "millrace-event-source", log, { retry: KAFKA_RETRY });
const cluster = openCluster(kafka, "uncommitted");

const mappings = existingWhere(eventSourceMappings, settings.pipelines);
const functions = new Map<string, Invoke>();
const allMetrics: FunctionMetrics[] = [metrics];
for (const name of new Set(mappings.map(({ functionName }) => functionName as FunctionName))) {
  if (hasHandler(name)) {
    functions.set(name, await loadFunction(name));
    const own = await functionMetrics(name);
    if (own !== null) allMetrics.push(own);
  } else log.error({ function: name }, "the function does not exist: its mappings are ignored");
}
const pollers = mappings.flatMap((mapping) => {
  const invoke = functions.get(mapping.functionName);
  return invoke
    ? [
        {
          mapping,
          poller: new Poller({
            mapping,
            invoke,
            cluster,
            brokers: settings.kafkaBrokers,
            onFailureDir: settings.onFailureDir,
            log,
            metrics,
          }),
        },
      ]
    : [];
});
for (const { poller } of pollers) poller.start();

/** How far the processors of the pipelines are that run, as Kafka knows it. */
async function processorsProgress(): Promise<GroupProgress[]> {
  return await Promise.all(
    settings.pipelines.map(async (pipeline) => {
      const { consumerGroup: group, input } = pipelines[pipeline];
      const topic = topics[input].name;
      await cluster.addTargetTopic(topic);
      const partitions = cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId);
      return { group, topic, committed: await committedOffsets(cluster, group, topic, partitions) };
    }),
  );
}

/** The lag of every group: this program is the one that asks Kafka for it. */
async function measureLag(): Promise<void> {
  try {
    const mapped = pollers.map(({ mapping: { consumerGroup: group, topic }, poller: { committed } }) => ({
      group,
      topic,
      committed,
    }));
    const lags = await groupLags(cluster, [...mapped, ...(await processorsProgress())]);
    for (const [group, lag] of lags) metrics.set(`event-source.group-lag{group="${group}"}`, lag);
    metrics.set(
      "event-source.lag",
      mapped.reduce((sum, { group }) => sum + lags.get(group)!, 0),
    );
  } catch (error) {
    log.debug({ err: error }, "cannot measure the lag");
  }
}
const lagTimer = setInterval(() => void measureLag(), LAG_INTERVAL_MS);

if (settings.healthPort > 0) {
  await startHealthServer(
    settings.healthPort,
    LOOPBACK,
    () => {
      const problems = pollers.filter(({ poller }) => poller.problem !== null);
      return {
        status: problems.length === 0 ? "ok" : "degraded",
        components: Object.fromEntries(
          pollers.map(({ mapping, poller }) => [
            `${mapping.functionName}/${mapping.topic}`,
            poller.problem === null
              ? { status: "ok" as const }
              : { status: "degraded" as const, detail: poller.problem },
          ]),
        ),
      };
    },
    {
      snapshot: () => Object.assign({}, ...allMetrics.map((one) => one.snapshot())) as object,
      prometheus: async () => mergePrometheusTexts(await Promise.all(allMetrics.map((one) => one.prometheus()))),
    },
  );
}
onShutdown(
  log,
  async () => {
    clearInterval(lagTimer);
    await Promise.all(pollers.map(({ poller }) => poller.stop()));
    await cluster.disconnect();
  },
  20_000,
);
log.info({ mappings: pollers.map(({ mapping }) => mapping.consumerGroup) }, "event source is ready");
