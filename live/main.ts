import { writeMetrics } from "../adapters/embedded-metrics.ts";
import { startHealthServer, type Health } from "../adapters/health.ts";
import { createKafka } from "../adapters/kafka.ts";
import { createLogger } from "../adapters/log.ts";
import { programMetrics } from "../adapters/program-metrics.ts";
import type { LogRecord } from "../adapters/record-batches.ts";
import { logUncaught, onShutdown } from "../adapters/shutdown.ts";
import { TopicTail } from "../adapters/topic-tail.ts";
import { LOOPBACK } from "../config/local.ts";
import { readSettings } from "../config/settings.ts";
import { consumerGroups } from "../domain/names.ts";
import { SECOND } from "../domain/time.ts";
import { headers, topics } from "../domain/topics.ts";
import { traceIdOf } from "../domain/traceparent.ts";
import { connectionsTable, gatewayConnections } from "./aws-connections.ts";
import { FanOut } from "./fan-out.ts";
import { kafkaReplayLog } from "./kafka-replay-log.ts";
import { isOfMarket, liveTopics, readRecord, readRejected, type LiveRecord, type Message } from "./messages.ts";
import { Resumer } from "./resumer.ts";
import { Resumes } from "./resumes.ts";
import { route, routeMarket } from "./router.ts";
import { SeenIds } from "./seen-ids.ts";
import { SessionExtents } from "./session-extents.ts";
import { audiences, noAudiences } from "./subscriptions.ts";

/** Time between two reads of the table of connections: the longest that a new subscription goes unnoticed. */
const POLL_MS = 0.4 * SECOND;

/** Retries of one request; what fails for longer is tried again as a whole. */
const KAFKA_RETRY = { retries: 5, initialRetryTime: 100, maxRetryTime: 1_000 } as const;

logUncaught("live");
const settings = readSettings("live", process.env);
const metrics = programMetrics("live");
const log = createLogger("live", settings.logLevel, metrics);
if (settings.metricsLog === "emf") writeMetrics(metrics, settings.environment, "live");
const table = connectionsTable(settings.connectionsTable, settings.region, settings.dynamodbEndpoint, log);
const gateway = gatewayConnections(
  settings.websocketEndpoint,
  settings.region,
  settings.dynamodbEndpoint !== undefined,
  (id) => table.forget(id),
  log,
);
const fanOut = new FanOut(gateway, metrics);
const seenIds = new SeenIds();
const followed = liveTopics(settings.pipelines);
const ofMarket = new Set(followed.flatMap(({ topic, ofMarket: isOf }) => (isOf ? [topic] : [])));
const extents = new SessionExtents(settings.sessionGapMs);
const text = new TextDecoder();
const kafka = createKafka(settings, "millrace-live", log, { retry: KAFKA_RETRY });
const tail = new TopicTail(kafka, {
  topics: followed,
  groupId: consumerGroups.live,
  log,
  onLag: (lag) => metrics.set("live.lag", lag),
  onRecord: sendRecord,
});

const resumes = new Resumes();
const resumer = new Resumer({
  resumes,
  tail,
  openLog: () => kafkaReplayLog(kafka),
  send,
  waitingFor: (connectionId) => fanOut.waitingFor(connectionId),
  hasRoom: () => fanOut.hasRoom,
  resumed: ({ connectionId, text: resume }) => void table.resumed(connectionId, [resume]),
  metrics,
  log,
});

let subscribed = noAudiences;
let tableAnswers = true;
let polling: NodeJS.Timeout | undefined;

async function poll(): Promise<void> {
  try {
    const items = await table.list();
    subscribed = audiences(items);
    fanOut.update(new Set(items.map(({ connectionId }) => connectionId)));
    // From here on nobody gets what is newer than what is to be sent again.
    for (const { connectionId, text: resume } of resumes.update(items)) void table.resumed(connectionId, [resume]);
    if (!tableAnswers) log.info("the table of connections answers again");
    tableAnswers = true;
  } catch (error) {
    if (tableAnswers) log.warn({ err: error }, "the table of connections does not answer; the last list stays in use");
    tableAnswers = false;
  }
  const watching = tail.watch(subscribed);
  if (resumes.waiting.length > 0) void watching.then(() => resumer.run());
  polling = setTimeout(() => void poll(), POLL_MS);
}

function health(): Health {
  const stopped = [...tail.stopped];
  const kafka = !tail.joined ? "down" : stopped.length > 0 ? "degraded" : "ok";
  const detail = stopped.map(([partition, why]) => `${partition}: ${why}`).join("; ");
  const connections = tableAnswers ? "ok" : "degraded";
  return {
    status: kafka === "ok" ? connections : kafka,
    components: { kafka: { status: kafka, ...(detail ? { detail } : {}) }, connections: { status: connections } },
  };
}

function send(connectionId: string, messages: readonly Message[]): void {
  fanOut.send(connectionId, messages);
}

/** Sends to connections that do not wait for what is older than the record. */
function sendAdmitted(record: LiveRecord): typeof send {
  return (connectionId, messages) => {
    if (resumes.admits(connectionId, record)) send(connectionId, messages);
  };
}

function readLive(topic: string, record: LogRecord): LiveRecord | null {
  if (topic === topics.deadLetter.name) return readRejected(record);
  return record.value === null ? null : readRecord(topic, record.headers[headers.contentType], record.value);
}

function sendRecord(topic: string, record: LogRecord): void {
  const { key, offset } = record;
  const name = key === null ? "" : text.decode(key);
  const sensor = ofMarket.has(topic) ? null : (subscribed.sensors.get(name) ?? subscribed.ofOthers);
  const symbol = ofMarket.has(topic) ? subscribed.symbols.get(name) : null;
  // Session records are read without an audience, too: a later subscription may name one of the sessions.
  if (!sensor && !symbol && topic !== topics.sessions.name) return;
  try {
    const read = readLive(topic, record);
    if (read === null) return;
    if (!seenIds.isNew(topic, read.data.id)) return;
    if (read.type === "session") extents.learn(read.data);
    if (isOfMarket(read)) routeMarket(read, symbol ?? [], send);
    else if (sensor) route(read, sensor, extents, resumes.isEmpty ? send : sendAdmitted(read));
  } catch (error) {
    const { partition, headers: values } = record;
    const about = { topic, partition, offset, traceId: traceIdOf(values[headers.traceparent]) };
    log.error({ err: error, ...about }, "record does not have the form of its topic and was skipped");
  }
}

const healthServer =
  settings.healthPort > 0
    ? await startHealthServer(
        settings.healthPort,
        settings.environment === "local" ? LOOPBACK : "0.0.0.0",
        health,
        metrics,
      )
    : undefined;
onShutdown(
  log,
  async () => {
    clearTimeout(polling);
    healthServer?.close();
    await tail.stop();
  },
  10 * SECOND,
);

await poll();
tail.start();
log.info({ topics: followed.map(({ topic }) => topic) }, "live is up");
