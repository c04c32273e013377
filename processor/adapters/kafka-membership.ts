import type { Consumer, Kafka } from "kafkajs";
import type { Logger } from "../../adapters/log.ts";
import type { Membership, MembershipListener } from "../engine/ports.ts";
import { stickyAssigner } from "./sticky-assigner.ts";

/** How long the group waits for a member that has died; brokers that allow no less than 6 s (MSK Serverless) get that. */
const SESSION_TIMEOUT_MS = { wanted: 2_500, allowed: 6_000 } as const;
const HEARTBEAT_MS = 500;
const REBALANCE_TIMEOUT_MS = 10_000;
/** A paused consumer turns its loop, heartbeat included, this often. */
const TURN_MS = 250;

/**
 * Membership in a consumer group and nothing else: the consumer's partitions stay paused, its offsets are never used or
 * committed (see `KafkaInput` for why the task reads by itself).
 */
export class KafkaMembership implements Membership {
  readonly #kafka: Kafka;
  readonly #groupId: string;
  readonly #topic: string;
  readonly #logger: Logger;
  #consumer: Consumer | null = null;
  #assigned: readonly number[] = [];
  #confirmations: ((confirmed: boolean) => void)[] = [];
  #sessionTimeout: number = SESSION_TIMEOUT_MS.wanted;

  constructor(kafka: Kafka, groupId: string, topic: string, logger: Logger) {
    this.#kafka = kafka;
    this.#groupId = groupId;
    this.#topic = topic;
    this.#logger = logger;
  }

  async join(listener: MembershipListener): Promise<void> {
    const consumer = this.#kafka.consumer({
      groupId: this.#groupId,
      partitionAssigners: [stickyAssigner(this.#topic, () => this.#assigned)],
      sessionTimeout: this.#sessionTimeout,
      rebalanceTimeout: REBALANCE_TIMEOUT_MS,
      heartbeatInterval: HEARTBEAT_MS,
      maxWaitTimeInMs: TURN_MS,
      allowAutoTopicCreation: false,
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 10 },
    });
    this.#consumer = consumer;
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      consumer.pause([{ topic: this.#topic }]);
      this.#settle(false);
      this.#assigned = payload.memberAssignment[this.#topic] ?? [];
      this.#logger.info({ partitions: this.#assigned, group: this.#groupId }, "partitions assigned");
      listener.onAssigned(this.#assigned);
    });
    consumer.on(consumer.events.REBALANCING, () => listener.onRebalancing());
    consumer.on(consumer.events.HEARTBEAT, () => this.#settle(true));
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      this.#settle(false);
      if (payload.restart || this.#consumer !== consumer) return;
      if (this.#sessionTimeout < SESSION_TIMEOUT_MS.allowed && isInvalidSessionTimeout(payload.error)) {
        this.#sessionTimeout = SESSION_TIMEOUT_MS.allowed;
        this.#logger.info({ sessionTimeoutMs: this.#sessionTimeout }, "the broker refuses the shorter session timeout");
        this.join(listener).catch((error: unknown) => listener.onLost(error));
      } else listener.onLost(payload.error);
    });
    await consumer.connect();
    await consumer.subscribe({ topic: this.#topic, fromBeginning: true });
    await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: () => Promise.resolve() });
  }

  async leave(): Promise<void> {
    const consumer = this.#consumer;
    this.#consumer = null;
    this.#assigned = [];
    this.#settle(false);
    await consumer?.disconnect();
  }

  /** Commits a group offset as this member in its current generation; only `delivery: idempotent` does. */
  async commitOffset(partition: number, offset: number, metadata: string): Promise<void> {
    if (!this.#consumer) throw new Error("not a member of the group");
    await this.#consumer.commitOffsets([{ topic: this.#topic, partition, offset: String(offset), metadata }]);
  }

  confirm(): Promise<boolean> {
    if (!this.#consumer) return Promise.resolve(false);
    return new Promise((resolve) => this.#confirmations.push(resolve));
  }

  #settle(confirmed: boolean): void {
    const waiting = this.#confirmations;
    this.#confirmations = [];
    for (const resolve of waiting) resolve(confirmed);
  }
}

function isInvalidSessionTimeout(error: Error): boolean {
  return (
    (error as { type?: string }).type === "INVALID_SESSION_TIMEOUT" ||
    (error.cause as { type?: string } | undefined)?.type === "INVALID_SESSION_TIMEOUT" ||
    error.message.includes("session timeout is not within")
  );
}
