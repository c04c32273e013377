import type { Consumer, Kafka } from "kafkajs";
import type { Logger } from "./log.ts";
import { stickyAssigner } from "./sticky-assigner.ts";

/** How long the group waits for a silent member. MSK Serverless allows no less than 6 s: it gets the longer one. */
const SESSION_TIMEOUT_MS = { wanted: 2_000, allowed: 6_000 } as const;
/** Time between two heartbeats. */
const HEARTBEAT_MS = 400;
/** How long the group waits for its members when a rebalance has begun. */
const REBALANCE_TIMEOUT_MS = 10_000;
/** How often a paused consumer of kafkajs turns its loop, which sends the heartbeats. */
const LOOP_MS = 200;

/** Called by a `KafkaMembership`. No method may block. */
export interface MembershipListener {
  /** After every rebalance, with the numbers of all partitions that this member has, of each topic. */
  onAssigned(partitions: readonly number[]): void;
  /** When a rebalance begins. */
  onRebalancing(): void;
  /** When the membership can't be had again, after an authorization failure for example. */
  onLost(error: unknown): void;
}

/**
 * Membership in a consumer group, and nothing else. Partitions of the same number are given together, of all topics.
 * The consumer's partitions stay paused, and its position is never used: members read through a cluster of their own
 * (`openCluster` says why).
 */
export class KafkaMembership {
  readonly #kafka: Kafka;
  readonly #groupId: string;
  readonly #topics: readonly string[];
  readonly #logger: Logger;
  #consumer: Consumer | null = null;
  #assigned: readonly number[] = [];
  #joined = false;
  #confirmations: ((confirmed: boolean) => void)[] = [];
  #sessionTimeout: number = SESSION_TIMEOUT_MS.wanted;

  constructor(kafka: Kafka, groupId: string, topics: readonly string[], logger: Logger) {
    this.#kafka = kafka;
    this.#groupId = groupId;
    this.#topics = topics;
    this.#logger = logger;
  }

  /** Whether the group has this as a member, by what is known here. */
  get joined(): boolean {
    return this.#joined;
  }

  /** Joins the group and calls `listener` from then on. The first assignment may come before this resolves. */
  async join(listener: MembershipListener): Promise<void> {
    const consumer = this.#createConsumer();
    this.#consumer = consumer;
    const { GROUP_JOIN, REBALANCING, HEARTBEAT, CRASH } = consumer.events;
    consumer.on(GROUP_JOIN, ({ payload }) => {
      consumer.pause(this.#topics.map((topic) => ({ topic })));
      this.#answerConfirmations(false);
      this.#assigned = [...new Set(Object.values(payload.memberAssignment).flat())].sort((a, b) => a - b);
      this.#joined = true;
      this.#logger.info({ partitions: this.#assigned, group: this.#groupId }, "partitions assigned");
      listener.onAssigned(this.#assigned);
    });
    consumer.on(REBALANCING, () => listener.onRebalancing());
    consumer.on(HEARTBEAT, () => this.#answerConfirmations(true));
    consumer.on(CRASH, ({ payload: { error, restart } }) => {
      this.#answerConfirmations(false);
      if (this.#consumer === consumer) this.#joined = false;
      if (!restart && this.#consumer === consumer) this.#afterCrash(error, listener);
    });
    await consumer.connect();
    await consumer.subscribe({ topics: [...this.#topics], fromBeginning: true });
    await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: () => Promise.resolve() });
  }

  #createConsumer(): Consumer {
    return this.#kafka.consumer({
      groupId: this.#groupId,
      partitionAssigners: [stickyAssigner(this.#topics, () => this.#assigned)],
      sessionTimeout: this.#sessionTimeout,
      rebalanceTimeout: REBALANCE_TIMEOUT_MS,
      heartbeatInterval: HEARTBEAT_MS,
      maxWaitTimeInMs: LOOP_MS,
      allowAutoTopicCreation: false,
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 10 },
    });
  }

  /** kafkajs has given the consumer up. Joins with the longer session timeout if the shorter one was the reason. */
  #afterCrash(error: Error, listener: MembershipListener): void {
    if (this.#sessionTimeout >= SESSION_TIMEOUT_MS.allowed || !isInvalidSessionTimeout(error))
      return listener.onLost(error);
    this.#sessionTimeout = SESSION_TIMEOUT_MS.allowed;
    this.#logger.info({ sessionTimeoutMs: this.#sessionTimeout }, "the broker refuses the shorter session timeout");
    this.join(listener).catch((failure: unknown) => listener.onLost(failure));
  }

  /** Leaves the group, so that others get the partitions at once. */
  async leave(): Promise<void> {
    const consumer = this.#consumer;
    this.#joined = false;
    this.#consumer = null;
    this.#assigned = [];
    this.#answerConfirmations(false);
    await consumer?.disconnect();
  }

  /**
   * Commits an offset of the first topic as this member in its current generation. Only `DELIVERY=idempotent` does.
   *
   * @throws Error when this is no member; the error of kafkajs when the coordinator refuses the commit
   */
  async commitOffset(partition: number, offset: number, metadata: string): Promise<void> {
    if (!this.#consumer) throw new Error("not a member of the group");
    await this.#consumer.commitOffsets([{ topic: this.#topics[0]!, partition, offset: String(offset), metadata }]);
  }

  /**
   * Blocks until the coordinator has confirmed the current assignment.
   *
   * @returns False when the assignment changed first, or when this is no member.
   */
  confirm(): Promise<boolean> {
    if (!this.#consumer) return Promise.resolve(false);
    return new Promise((resolve) => this.#confirmations.push(resolve));
  }

  /** Answers all `confirm` calls that wait. */
  #answerConfirmations(confirmed: boolean): void {
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
