import { randomBytes } from "node:crypto";
import type { Health } from "../adapters/health.ts";
import type { Logger } from "../adapters/log.ts";
import type { Metrics } from "../adapters/metrics.ts";
import { pipelineNames, pipelines } from "../domain/pipelines.ts";
import { topics, TICK_INTERVAL } from "../domain/topics.ts";
import type { KafkaSender } from "./adapters/kafka-sender.ts";
import type { MqttReceiver } from "./adapters/mqtt-receiver.ts";
import { RecordAccumulator } from "./record-accumulator.ts";
import { ticks } from "./ticks.ts";
import { toRecord, type Publish } from "./to-record.ts";
import { newTraceparent } from "./traceparent.ts";

/** The input topics that get ticks. */
const TICKED_TOPICS = pipelineNames
  .map((name) => pipelines[name])
  .filter(({ ticked }) => ticked)
  .map(({ input }) => topics[input].name);
/** Source of the ticks in the accumulator; no MQTT client has this id. */
const TICKS = "ticks";
/** Topics may be created or widened while the bridge runs, so it reads their partition counts this often. */
const PARTITIONS_REFRESH_MS = 15_000;
const LINGER_MS = 2;
const MAX_BATCH_BYTES = 900_000;
const MAX_BATCH_RECORDS = 2_000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 2_000;
const DRAIN_POLL_MS = 10;
/** The bridge is down when Kafka has not acknowledged a batch for this long. */
const KAFKA_DOWN_MS = 5_000;

/**
 * Appends MQTT messages to Kafka, and acknowledges each to the MQTT broker only when Kafka has it. docs/bridge.md
 * numbers the steps in the life of a message, and says what happens when each of the three programs dies.
 */
export class Bridge {
  readonly #sender: KafkaSender;
  readonly #metrics: Metrics;
  readonly #logger: Logger;
  readonly #accumulator: RecordAccumulator;
  #receiver: MqttReceiver | null = null;
  #partitionCounts: ReadonlyMap<string, number> = new Map();
  #ticksUnderWay = 0;
  #inFlight = 0;
  #draining = false;
  #timers: NodeJS.Timeout[] = [];

  constructor(sender: KafkaSender, metrics: Metrics, logger: Logger) {
    this.#sender = sender;
    this.#metrics = metrics;
    this.#logger = logger;
    this.#accumulator = new RecordAccumulator(sender, {
      lingerMs: LINGER_MS,
      maxBatchBytes: MAX_BATCH_BYTES,
      maxBatchRecords: MAX_BATCH_RECORDS,
      retryDelayMs,
      onFailure: (error, attempt) =>
        logger.error(
          { attempt, waiting: this.#accumulator.size, error: (error as Error).message },
          "Kafka did not acknowledge a batch: a new producer sends it again",
        ),
    });
  }

  /** Starts to receive. Returns at once, and keeps connecting until the broker and Kafka are up. */
  start(receiver: MqttReceiver): void {
    this.#receiver = receiver;
    void this.#accumulator.run();
    void this.#refreshPartitions();
    this.#timers = [
      setInterval(() => void this.#refreshPartitions(), PARTITIONS_REFRESH_MS),
      setInterval(() => this.#tick(), TICK_INTERVAL),
    ];
    receiver.start();
  }

  /**
   * The receiver calls this for each message; it does not block. A message that arrives while the bridge stops stays
   * unacknowledged, so the MQTT broker sends it again to the next process.
   */
  receive(client: string, publish: Publish, acknowledge: () => void): void {
    if (this.#draining) return;
    const receivedAt = performance.now();
    const record = toRecord(publish, { ingestMs: Date.now(), traceparent: newTraceparent(randomBytes(24)) });
    this.#metrics.set("bridge.in-flight", ++this.#inFlight);
    this.#accumulator.add({
      record,
      source: client,
      onStored: () => {
        acknowledge();
        this.#metrics.set("bridge.in-flight", --this.#inFlight);
        this.#metrics.add(record.topic === topics.deadLetter.name ? "bridge.dead-letters" : "bridge.messages");
        this.#metrics.time("bridge.publish-latency", performance.now() - receivedAt);
      },
    });
  }

  /**
   * The receiver calls this when a client's session is resumed. The MQTT broker then sends every unacknowledged message
   * again, so the ones of that client that still wait here are discarded.
   */
  forget(client: string): void {
    this.#inFlight -= this.#accumulator.discard(client);
    this.#metrics.set("bridge.in-flight", this.#inFlight);
  }

  /** Health of both sides. `clients`: how many MQTT connections there should be. */
  health(clients: number): Health {
    const subscribed = this.#receiver?.subscribed ?? 0;
    const unacknowledgedMs = this.#accumulator.unacknowledgedMs;
    const mqtt = mqttStatus(subscribed, clients);
    const kafka = unacknowledgedMs < KAFKA_DOWN_MS ? "ok" : "down";
    return {
      status: kafka === "down" ? "down" : mqtt,
      components: {
        mqtt: { status: mqtt, detail: `${subscribed} of ${clients} connections` },
        kafka: {
          status: kafka,
          ...(kafka === "ok" ? {} : { detail: `no acknowledgement for ${Math.round(unacknowledgedMs / 1000)} s` }),
        },
      },
    };
  }

  /** Takes no more messages, sends and acknowledges those it has for at most `limitMs`, and disconnects. */
  async stop(limitMs: number): Promise<void> {
    this.#draining = true;
    for (const timer of this.#timers) clearInterval(timer);
    const deadline = performance.now() + limitMs;
    while (this.#accumulator.size > 0 && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    this.#accumulator.close();
    await this.#receiver?.stop();
    await this.#sender.close();
    this.#logger.info({ unacknowledged: this.#inFlight }, "stopped");
  }

  /**
   * Appends ticks, but only while messages can arrive: during an outage of the broker or of this program a sensor that
   * sends nothing is not silent.
   */
  #tick(): void {
    if (this.#ticksUnderWay > 0 || (this.#receiver?.subscribed ?? 0) === 0) return;
    for (const record of ticks(this.#partitionCounts)) {
      this.#ticksUnderWay++;
      this.#accumulator.add({ record, source: TICKS, onStored: () => void this.#ticksUnderWay-- });
    }
  }

  async #refreshPartitions(): Promise<void> {
    try {
      this.#partitionCounts = await this.#sender.partitionCounts(TICKED_TOPICS);
      if (!this.#partitionCounts.has(topics.imuData.name))
        this.#logger.error(
          `the topic ${topics.imuData.name} does not exist: nothing can be stored until it is created`,
        );
    } catch (error) {
      this.#logger.warn({ error: (error as Error).message }, "cannot read the partitions of the input topics");
    }
  }
}

function mqttStatus(subscribed: number, clients: number): Health["status"] {
  if (subscribed === clients) return "ok";
  return subscribed > 0 ? "degraded" : "down";
}

/** Doubles from `FIRST_RETRY_MS` up to `LAST_RETRY_MS`; the exponent is bounded, as attempts are not. */
function retryDelayMs(attempt: number): number {
  return Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempt - 1, 10));
}
