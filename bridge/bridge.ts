import { randomBytes } from "node:crypto";
import type { Health } from "../adapters/health.ts";
import type { Logger } from "../adapters/log.ts";
import type { Metrics } from "../adapters/metrics.ts";
import { topics, TICK_INTERVAL } from "../domain/topics.ts";
import type { KafkaSender } from "./adapters/kafka-sender.ts";
import type { MqttReceiver } from "./adapters/mqtt-receiver.ts";
import { Outbox } from "./outbox.ts";
import { ticks } from "./ticks.ts";
import { toRecord, type Publish } from "./to-record.ts";
import { newTraceparent } from "./traceparent.ts";

/** Input topics that get ticks, as far as they exist. */
const TICKED_TOPICS = [topics.imuData.name, topics.trades.name];
const TICKS = "ticks";
/** Topics may be created, or get partitions, while the bridge runs. */
const PARTITIONS_REFRESH_MS = 15_000;
const LINGER_MS = 2;
const MAX_BATCH_BYTES = 900_000;
const MAX_BATCH_RECORDS = 2_000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 2_000;
const DRAIN_POLL_MS = 10;
/** A batch that waits longer than this for Kafka makes the bridge unhealthy. */
const KAFKA_DOWN_MS = 5_000;

/** MQTT messages into Kafka: acknowledged to the one when the other has them. */
export class Bridge {
  readonly #sender: KafkaSender;
  readonly #metrics: Metrics;
  readonly #logger: Logger;
  readonly #outbox: Outbox;
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
    this.#outbox = new Outbox(sender, {
      lingerMs: LINGER_MS,
      maxBatchBytes: MAX_BATCH_BYTES,
      maxBatchRecords: MAX_BATCH_RECORDS,
      retryDelayMs: (attempt) => Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempt - 1, 10)),
      onFailure: (error, attempt) =>
        logger.error(
          { attempt, waiting: this.#outbox.size, error: (error as Error).message },
          "Kafka did not acknowledge a batch; it will be sent again by a new producer",
        ),
    });
  }

  /** Starts to receive; returns at once, whatever is up. */
  start(receiver: MqttReceiver): void {
    this.#receiver = receiver;
    void this.#outbox.run();
    void this.#refreshPartitions();
    this.#timers = [
      setInterval(() => void this.#refreshPartitions(), PARTITIONS_REFRESH_MS),
      setInterval(() => this.#tick(), TICK_INTERVAL),
    ];
    receiver.start();
  }

  /**
   * What the receiver calls for a message. One that comes while draining stays unacknowledged: it is sent again to the
   * next process.
   */
  receive(client: string, publish: Publish, acknowledge: () => void): void {
    if (this.#draining) return;
    const receivedAt = performance.now();
    const record = toRecord(publish, { ingestMs: Date.now(), traceparent: newTraceparent(randomBytes(24)) });
    this.#metrics.set("bridge.in-flight", ++this.#inFlight);
    this.#outbox.add({
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
   * What the receiver calls when a session goes on: what still waits from before comes again, so it need not be kept
   * twice.
   */
  forget(client: string): void {
    this.#inFlight -= this.#outbox.discard(client);
    this.#metrics.set("bridge.in-flight", this.#inFlight);
  }

  health(clients: number): Health {
    const subscribed = this.#receiver?.subscribed ?? 0;
    const unacknowledgedMs = this.#outbox.unacknowledgedMs;
    const mqtt = subscribed === clients ? "ok" : subscribed > 0 ? "degraded" : "down";
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

  /** Takes nothing more, sends and acknowledges what it has, as far as `limitMs` allows, and disconnects. */
  async stop(limitMs: number): Promise<void> {
    this.#draining = true;
    for (const timer of this.#timers) clearInterval(timer);
    const deadline = performance.now() + limitMs;
    while (this.#outbox.size > 0 && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    this.#outbox.close();
    await this.#receiver?.stop();
    await this.#sender.close();
    this.#logger.info({ unacknowledged: this.#inFlight }, "stopped");
  }

  /** Only while messages can arrive: in an outage of the broker or of this program, nobody is silent. */
  #tick(): void {
    if (this.#ticksUnderWay > 0 || (this.#receiver?.subscribed ?? 0) === 0) return;
    for (const record of ticks(this.#partitionCounts)) {
      this.#ticksUnderWay++;
      this.#outbox.add({ record, source: TICKS, onStored: () => void this.#ticksUnderWay-- });
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
