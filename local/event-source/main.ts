// The local event source: polls Kafka and invokes the Lambda functions of the event source mappings.
import type { Admin } from "kafkajs";
import { startHealthServer } from "../../adapters/health.ts";
import { createKafka } from "../../adapters/kafka.ts";
import { createLogger } from "../../adapters/log.ts";
import { Metrics } from "../../adapters/metrics.ts";
import { onShutdown } from "../../adapters/shutdown.ts";
import { LOOPBACK } from "../../config/local.ts";
import { readSettings } from "../../config/settings.ts";
import type { FunctionName } from "../../domain/api.ts";
import { eventSourceMappings } from "../../domain/event-source-mappings.ts";
import { existingWhere } from "../../domain/pipelines.ts";
import { functionMetrics, hasHandler, loadFunction, type FunctionMetrics, type Invoke } from "../lambda/invoke.ts";
import { groupLag } from "./lag.ts";
import { KAFKA_RETRY, Poller } from "./poller.ts";

const LAG_INTERVAL_MS = 5_000;

const settings = readSettings("eventSource", process.env);
const log = createLogger("event-source", settings.logLevel);
const metrics = new Metrics();
const kafka = createKafka(settings, "millrace-event-source", log, { retry: KAFKA_RETRY });

const mappings = existingWhere(eventSourceMappings, settings.pipelines);
const functions = new Map<string, Invoke>();
const allMetrics: FunctionMetrics[] = [metrics];
for (const name of new Set(mappings.map(({ functionName }) => functionName as FunctionName))) {
  if (hasHandler(name)) {
    functions.set(name, await loadFunction(name));
    const own = await functionMetrics(name);
    if (own !== null) allMetrics.push(own);
  } else log.warn({ function: name }, "the function does not exist: its mappings are ignored");
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
            kafka,
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

let admin: Admin | null = null;
async function measureLag(): Promise<void> {
  try {
    if (admin === null) {
      admin = kafka.admin();
      await admin.connect();
    }
    let lag = 0;
    for (const { mapping } of pollers) lag += await groupLag(admin, mapping.consumerGroup, mapping.topic);
    metrics.set("event-source.lag", lag);
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
    { snapshot: () => Object.assign({}, ...allMetrics.map((one) => one.snapshot())) as object },
  );
}
onShutdown(async () => {
  clearInterval(lagTimer);
  await Promise.all(pollers.map(({ poller }) => poller.stop()));
  await admin?.disconnect();
}, 20_000);
log.info({ mappings: pollers.map(({ mapping }) => mapping.consumerGroup) }, "event source is ready");
