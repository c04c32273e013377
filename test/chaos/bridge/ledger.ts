import { setTimeout as delay } from "node:timers/promises";
import type { Consumer, Kafka } from "kafkajs";
import { connectAsync, type MqttClient } from "mqtt";
import { topics } from "../../../domain/topics.ts";

const PUBLISHERS = 4;
const SENSORS = 20;
const BATCH_INTERVAL_MS = 20;
/** A device with this many unacknowledged messages waits. */
const WAITING_LIMIT = 1_000;
const PAYLOAD = { t: 1_657_533_977_813, hz: 100, samples: [[0.1, -0.25, 9.80665, 0.001, 0, 0]] };
const LOOK_INTERVAL_MS = 20;

/**
 * Publishes numbered messages by a client that shares no code with the bridge, and reads them back from Kafka. What the
 * MQTT broker has acknowledged must arrive.
 */
export class Ledger {
  readonly #publishers: MqttClient[];
  readonly #consumer: Consumer;
  readonly #timers: NodeJS.Timeout[];
  readonly #arrived = new Set<number>();
  readonly #missing = new Set<number>();
  #published = 0;
  #waiting = 0;
  #acknowledged = 0;
  #copies = 0;

  private constructor(publishers: MqttClient[], consumer: Consumer, messagesPerSecond: number) {
    this.#publishers = publishers;
    this.#consumer = consumer;
    let due = 0;
    this.#timers = publishers.map((client) =>
      setInterval(() => {
        due += (messagesPerSecond * BATCH_INTERVAL_MS) / 1_000 / PUBLISHERS;
        for (; due >= 1; due--) if (this.#waiting < WAITING_LIMIT) this.#publish(client);
      }, BATCH_INTERVAL_MS),
    );
  }

  /** Starts to read and to publish. */
  static async open(mqttUrl: string, kafka: Kafka, messagesPerSecond: number): Promise<Ledger> {
    const consumer = kafka.consumer({ groupId: `ledger-${process.pid}`, maxWaitTimeInMs: 100 });
    await consumer.connect();
    await consumer.subscribe({ topic: topics.imuData.name, fromBeginning: true });
    const publishers = await Promise.all(
      Array.from({ length: PUBLISHERS }, () => connectAsync(mqttUrl, { protocolVersion: 5 })),
    );
    const ledger = new Ledger(publishers, consumer, messagesPerSecond);
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        for (const { value } of batch.messages) if (value) ledger.#arrive(value);
      },
    });
    return ledger;
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Records that repeat an earlier one. */
  get copies(): number {
    return this.#copies;
  }

  /**
   * Waits until all that is acknowledged now is in Kafka.
   *
   * @returns The numbers that are not there after `limitMs`. They are not waited for again, but may still arrive.
   */
  async settle(limitMs: number): Promise<number[]> {
    const awaited = new Set(this.#missing);
    const deadline = performance.now() + limitMs;
    for (;;) {
      for (const seq of awaited) if (!this.#missing.has(seq)) awaited.delete(seq);
      if (awaited.size === 0 || performance.now() > deadline) break;
      await delay(LOOK_INTERVAL_MS);
    }
    for (const seq of awaited) this.#missing.delete(seq);
    return [...awaited];
  }

  hasArrived(seq: number): boolean {
    return this.#arrived.has(seq);
  }

  /** Publishes no more, and waits for the acknowledgements. */
  async stopPublishing(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.all(this.#publishers.map((client) => client.endAsync()));
  }

  async close(): Promise<void> {
    await this.stopPublishing();
    await this.#consumer.disconnect();
  }

  #publish(client: MqttClient): void {
    const seq = this.#published++;
    this.#waiting++;
    const payload = JSON.stringify({ seq, boot: "chaos", ...PAYLOAD });
    client.publishAsync(`imu/chaos-${seq % SENSORS}`, payload, { qos: 1 }).then(
      () => {
        this.#waiting--;
        this.#acknowledged++;
        if (!this.#arrived.has(seq)) this.#missing.add(seq);
      },
      () => this.#waiting--,
    );
  }

  #arrive(value: Buffer): void {
    const { seq } = JSON.parse(value.toString()) as { seq: number };
    if (this.#arrived.has(seq)) this.#copies++;
    this.#arrived.add(seq);
    this.#missing.delete(seq);
  }
}
