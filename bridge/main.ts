import { setTimeout as sleep } from "node:timers/promises";
import { writeMetrics } from "../adapters/embedded-metrics.ts";
import { startHealthServer } from "../adapters/health.ts";
import { createKafka } from "../adapters/kafka.ts";
import { createLogger } from "../adapters/log.ts";
import { programMetrics } from "../adapters/program-metrics.ts";
import { logUncaught, onShutdown } from "../adapters/shutdown.ts";
import { TopicTail } from "../adapters/topic-tail.ts";
import { LOOPBACK } from "../config/local.ts";
import { readSettings } from "../config/settings.ts";
import { mqttTopic } from "../domain/imu.ts";
import { consumerGroups } from "../domain/names.ts";
import { topics } from "../domain/topics.ts";
import { KafkaSender } from "./adapters/kafka-sender.ts";
import { MqttNotifier } from "./adapters/mqtt-notifier.ts";
import { MqttReceiver } from "./adapters/mqtt-receiver.ts";
import { Bridge, type BridgeLimits } from "./bridge.ts";
import { RejectedNotices } from "./rejected-notices.ts";
import { tickedInputs } from "./ticks.ts";

const DRAIN_LIMIT_MS = 5_000;
const KAFKA_FAULT_MS = 5_000;
const SHUTDOWN_LIMIT_MS = 15_000;
const FIRST_SUBSCRIPTION_LIMIT_MS = 20_000;
/** Time between two looks for partitions of dead letters that could not be read. */
const WATCH_INTERVAL_MS = 5_000;
const NO_KEYS = { sensors: new Map(), ofOthers: null, symbols: new Map() };

logUncaught("bridge");
const settings = readSettings("bridge", process.env);
const metrics = programMetrics("bridge");
const logger = createLogger("bridge", settings.logLevel, metrics);
if (settings.metricsLog === "emf") writeMetrics(metrics, settings.environment, "bridge");
// No logger: kafkajs would log every attempt during an outage, and the bridge logs each failed batch itself.
const kafka = createKafka(settings, settings.mqttClientId, undefined, {
  connectionTimeout: 3_000,
  requestTimeout: 6_000,
  retry: { retries: 1, initialRetryTime: 50, maxRetryTime: 1_000 },
});
const limits: BridgeLimits = {
  faultMs: KAFKA_FAULT_MS,
  waitingBytes: settings.waitingBytes,
  // Half of what may be in flight, so that the other half stays free for data.
  waitingLetters: Math.ceil((settings.mqttClients * settings.mqttReceiveMaximum) / 2),
};
const bridge = new Bridge(() => new KafkaSender(kafka), tickedInputs(settings.pipelines), limits, metrics, logger);
const receiver = new MqttReceiver({
  url: settings.mqttUrl,
  region: settings.region,
  clients: settings.mqttClients,
  clientId: settings.mqttClientId,
  sessionsKept: settings.mqttSessionsKept,
  receiveMaximum: settings.mqttReceiveMaximum,
  shareGroup: settings.mqttShareGroup,
  prefix: settings.mqttPrefix,
  onMessage: (client, publish, acknowledge) => bridge.receive(client, publish, acknowledge),
  onSessionResumed: (client) => bridge.forget(client),
  logger,
});
const notifier = new MqttNotifier({
  url: settings.mqttUrl,
  region: settings.region,
  clientId: `${settings.mqttClientId}-rejected`,
  logger,
});
const notices = new RejectedNotices(
  (topic, payload) => notifier.publish(mqttTopic(settings.mqttPrefix, topic), payload),
  metrics,
);
const letters = new TopicTail(kafka, {
  topics: [{ topic: topics.deadLetter.name, ofMarket: false, always: true }],
  groupId: consumerGroups.rejectedNotices,
  log: logger,
  onRecord: (_, letter) => notices.take(letter, Date.now()),
  onLag: () => undefined,
});
const watching = setInterval(() => void letters.watch(NO_KEYS), WATCH_INTERVAL_MS);
onShutdown(
  logger,
  async () => {
    clearInterval(watching);
    await Promise.all([bridge.stop(DRAIN_LIMIT_MS), letters.stop().then(() => notifier.stop())]);
  },
  SHUTDOWN_LIMIT_MS,
);
bridge.start(receiver);
letters.start();
logger.info(
  { mqttUrl: settings.mqttUrl, clients: settings.mqttClients, kafkaBrokers: settings.kafkaBrokers },
  "started",
);
// Until the first subscription the broker acknowledges what devices publish and discards it. /health therefore answers
// only afterwards: a device that waits for it loses nothing.
await Promise.race([receiver.firstSubscription, sleep(FIRST_SUBSCRIPTION_LIMIT_MS)]);
if (settings.healthPort > 0)
  await startHealthServer(
    settings.healthPort,
    settings.environment === "local" ? LOOPBACK : "0.0.0.0",
    () => bridge.health(settings.mqttClients),
    metrics,
  );
