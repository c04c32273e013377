import { randomBytes } from "node:crypto";
import type { Health } from "../adapters/health.ts";
import type { Logger } from "../adapters/log.ts";
import type { Metrics } from "../adapters/metrics.ts";
import type { DeadLetterCode } from "../domain/errors.ts";
import { headers as headerNames, topics, TICK_INTERVAL } from "../domain/topics.ts";
import { newTraceparent, traceIdOf } from "../domain/traceparent.ts";
import { bridgeHealth } from "./bridge-health.ts";
import { RecordAccumulator, type RecordSender } from "./record-accumulator.ts";
import { ticks } from "./ticks.ts";
import { MAX_DEAD_LETTER_BYTES, toDeadLetter, toRecord, type Problem, type Publish, type Stamp } from "./to-record.ts";

/** Source of the ticks in the accumulator; no MQTT client has this id. */
const TICKS = "ticks";
/** Topics may be created or widened while the bridge runs, so it reads their partition counts this often. */
const PARTITIONS_REFRESH_MS = 15_000;
/** Time between two looks for connections of which messages were turned away: so often is one opened anew, at most. */
const TURNED_AWAY_LOOK_MS = 1_000;
/**
 * A request to Kafka costs the bridge and the broker more than the messages in it: at 200 messages a second this makes
 * about 90 requests of them, and a message waits for 2 ms more than it must.
 */
const LINGER_MS = 4;
const MAX_BATCH_BYTES = 900_000;
const MAX_BATCH_RECORDS = 2_000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 2_000;
const DRAIN_POLL_MS = 10;
/** Kafka takes records while its acknowledgement of a batch has not been missing for longer. */
const PROMPT_KAFKA_MS = 1_000;
/** After so long without a message or PUBACK, the MQTT broker has nothing more for a client that left the group. */
const QUIET_MS = 500;
const LOGGED_TOPIC_CHARACTERS = 200;

/** What the bridge sends through. */
export interface Sender extends RecordSender {
  close(): Promise<void>;
  /** Number of partitions of each given topic that exists. */
  partitionCounts(topics: readonly string[]): Promise<ReadonlyMap<string, number>>;
}

/** Where messages come from. */
export interface Receiver {
  /** Number of connections that are up and subscribed. */
  readonly subscribed: number;
  start(): void;
  /**
   * Takes the clients whose sessions do not stay out of the group: the broker sends them nothing new. Gives those that
   * are out of it.
   */
  leave(): Promise<readonly string[]>;
  /** Disconnects. Ends the sessions of `done`, of which nothing is unacknowledged; the others' stay, as members. */
  stop(done: readonly string[]): Promise<void>;
  /** Closes a connection and opens it again, so that the MQTT broker sends what is unacknowledged again. */
  reconnect(client: string): void;
}

/** Bounds of what waits for Kafka. */
export interface BridgeLimits {
  /** A batch that Kafka has not acknowledged for this long, in milliseconds, is a fault. */
  readonly faultMs: number;
  /** Bytes of records. A message that would exceed it is turned away: the MQTT broker keeps it. */
  readonly waitingBytes: number;
  /** Dead letters that wait while Kafka takes everything but them. Further ones are logged, and dropped. */
  readonly waitingLetters: number;
}

/** A message on its way: what it was, and what is called when Kafka has it. */
interface Message {
  readonly client: string;
  readonly publish: Publish;
  readonly stamp: Stamp;
  /** Called at the end of its way, with the metric that counts it. */
  readonly done: (
    outcome: "bridge.messages" | `bridge.dead-letters{code="${DeadLetterCode}"}` | "bridge.dropped",
  ) => void;
}

/** What a client has received. */
interface Received {
  unacknowledged: number;
  /** When it last received or acknowledged one, by `performance.now()`. */
  changedAt: number;
}

/**
 * Appends MQTT messages to Kafka, and acknowledges each to the MQTT broker only when Kafka has it. docs/bridge.md
 * numbers the steps in the life of a message, and says what happens when each of the three programs dies.
 *
 * Dead letters have an accumulator of their own: a `dead-letter` topic that can't be written holds up no data.
 */
export class Bridge {
  readonly #sender: Sender;
  readonly #letterSender: Sender;
  readonly #tickedTopics: readonly string[];
  readonly #limits: BridgeLimits;
  readonly #metrics: Metrics;
  readonly #logger: Logger;
  readonly #records: RecordAccumulator;
  readonly #letters: RecordAccumulator;
  /** Clients of which a message was turned away. */
  readonly #turnedAway = new Set<string>();
  #receiver: Receiver | null = null;
  #partitionCounts: ReadonlyMap<string, number> = new Map();
  #ticksUnderWay = 0;
  #inFlight = 0;
  readonly #received = new Map<string, Received>();
  #draining = false;
  #timers: NodeJS.Timeout[] = [];

  /**
   * @param createSender Each accumulator gets a sender of its own
   * @param tickedTopics Topics that get a tick a second in each partition, see `tickedInputs`
   */
  constructor(
    createSender: () => Sender,
    tickedTopics: readonly string[],
    limits: BridgeLimits,
    metrics: Metrics,
    logger: Logger,
  ) {
    this.#tickedTopics = tickedTopics;
    this.#limits = limits;
    this.#metrics = metrics;
    this.#logger = logger;
    this.#sender = createSender();
    this.#letterSender = createSender();
    this.#records = this.#accumulator(this.#sender, "records");
    this.#letters = this.#accumulator(this.#letterSender, "dead letters");
  }

  /** Starts to receive. Returns at once, and keeps connecting until the broker and Kafka are up. */
  start(receiver: Receiver): void {
    this.#receiver = receiver;
    void this.#records.run();
    void this.#letters.run();
    void this.#refreshPartitions();
    this.#timers = [
      setInterval(() => void this.#refreshPartitions(), PARTITIONS_REFRESH_MS),
      setInterval(() => this.#tick(), TICK_INTERVAL),
      setInterval(() => this.#reconnectTurnedAway(), TURNED_AWAY_LOOK_MS),
    ];
    receiver.start();
  }

  /**
   * The receiver calls this for each message; it does not block. A message that arrives while the bridge stops stays
   * unacknowledged, so the MQTT broker sends it again to the next process. So does one that is turned away because too
   * much waits: its connection is opened anew when half of that is stored.
   */
  receive(client: string, publish: Publish, acknowledge: () => void): void {
    if (this.#draining) return;
    const waiting = this.#waitingBytes;
    if (waiting > 0 && waiting + publish.payload.length > this.#limits.waitingBytes) {
      this.#turnedAway.add(client);
      this.#metrics.add("bridge.turned-away");
      return;
    }
    const receivedAt = performance.now();
    const stamp = { ingestMs: Date.now(), traceparent: newTraceparent(randomBytes(24)) };
    this.#inFlight++;
    const received = this.#received.get(client) ?? { unacknowledged: 0, changedAt: 0 };
    this.#received.set(client, received);
    received.unacknowledged++;
    received.changedAt = receivedAt;
    const message: Message = {
      client,
      publish,
      stamp,
      done: (outcome) => {
        acknowledge();
        this.#inFlight--;
        received.unacknowledged--;
        received.changedAt = performance.now();
        this.#metrics.add(outcome);
        this.#metrics.time("bridge.publish-latency", performance.now() - receivedAt);
        this.#measure();
      },
    };
    const record = toRecord(publish, stamp);
    if (record.topic === topics.deadLetter.name) this.#addLetter(message, record);
    else
      this.#records.add({
        record,
        source: client,
        onStored: () => message.done("bridge.messages"),
        onRefused: (error) => this.#bury(message, error, MAX_DEAD_LETTER_BYTES),
      });
    this.#measure();
  }

  /**
   * The receiver calls this when a client's session is resumed. The MQTT broker then sends every unacknowledged message
   * again, so the ones of that client that still wait here are discarded.
   */
  forget(client: string): void {
    this.#turnedAway.delete(client);
    const discarded = this.#records.discard(client) + this.#letters.discard(client);
    this.#inFlight -= discarded;
    const received = this.#received.get(client);
    if (received) received.unacknowledged -= discarded;
    this.#measure();
  }

  /** Health of both sides. `clients`: how many MQTT connections there should be. */
  health(clients: number): Health {
    return bridgeHealth({
      subscribed: this.#receiver?.subscribed ?? 0,
      clients,
      recordsMs: this.#records.unacknowledgedMs,
      lettersMs: this.#letters.unacknowledgedMs,
      faultMs: this.#limits.faultMs,
    });
  }

  /**
   * Takes the clients that do not stay out of the group, and sends and acknowledges what they still get. Then takes no
   * more messages, sends and acknowledges those it has, and disconnects. All of it takes at most `limitMs`, and what
   * the receiver takes to disconnect. While Kafka takes nothing, no client leaves.
   */
  async stop(limitMs: number): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    const deadline = performance.now() + limitMs;
    const left = this.#silentMs < PROMPT_KAFKA_MS ? ((await this.#receiver?.leave()) ?? []) : [];
    const leftAt = performance.now();
    await until(() => left.every((client) => this.#isDone(client, leftAt)), deadline);
    this.#draining = true;
    await until(() => this.#records.size + this.#letters.size === 0, deadline);
    this.#records.close();
    this.#letters.close();
    const done = left.filter((client) => this.#isDone(client, leftAt));
    await this.#receiver?.stop(done);
    await Promise.all([this.#sender.close(), this.#letterSender.close()]);
    this.#logger.info({ unacknowledged: this.#inFlight, ended: done }, "stopped");
  }

  /** Whether a client that left the group at `leftAt` has acknowledged everything, and gets nothing any more. */
  #isDone(client: string, leftAt: number): boolean {
    const { unacknowledged, changedAt } = this.#received.get(client) ?? { unacknowledged: 0, changedAt: 0 };
    return unacknowledged === 0 && performance.now() - Math.max(leftAt, changedAt) >= QUIET_MS;
  }

  /** How long Kafka has not acknowledged a batch, of records or of letters; 0 while none is sent. */
  get #silentMs(): number {
    return Math.max(this.#records.unacknowledgedMs, this.#letters.unacknowledgedMs);
  }

  get #waitingBytes(): number {
    return this.#records.bytes + this.#letters.bytes;
  }

  #accumulator(sender: Sender, what: string): RecordAccumulator {
    const accumulator: RecordAccumulator = new RecordAccumulator(sender, {
      lingerMs: LINGER_MS,
      maxBatchBytes: MAX_BATCH_BYTES,
      maxBatchRecords: MAX_BATCH_RECORDS,
      retryDelayMs,
      onFailure: (error, attempt) =>
        this.#logger.warn(
          { err: error, attempt, what, waiting: accumulator.size },
          "Kafka did not acknowledge a batch: a new producer sends it again",
        ),
    });
    return accumulator;
  }

  /** Dead-letters a message that Kafka refuses. A letter that is refused, too, is cut to half, down to no payload. */
  #bury(message: Message, refusal: Error, maxBytes: number): void {
    const problem: Problem = { code: "refused-by-kafka", message: `Kafka refuses the record: ${refusal.message}` };
    this.#addLetter(message, toDeadLetter(message.publish, message.stamp, problem, maxBytes));
  }

  #addLetter(message: Message, letter: ReturnType<typeof toRecord>): void {
    const { faultMs } = this.#limits;
    const onlyLettersFail = this.#letters.unacknowledgedMs >= faultMs && this.#records.unacknowledgedMs < faultMs;
    if (onlyLettersFail && this.#letters.size >= this.#limits.waitingLetters) {
      this.#drop(message, `${this.#letters.size} dead letters wait for their topic`);
      return;
    }
    this.#letters.add({
      record: letter,
      source: message.client,
      onStored: () =>
        message.done(`bridge.dead-letters{code="${letter.headers[headerNames.errorCode] as DeadLetterCode}"}`),
      onRefused: (error) => {
        const bytes = letter.value?.length ?? 0;
        if (bytes === 0) this.#drop(message, `Kafka refuses its dead letter: ${error.message}`);
        else this.#bury(message, error, bytes >> 1);
      },
    });
  }

  /** Lets go of a message that can't even be dead-lettered. Only the log tells of it. */
  #drop({ publish, stamp, client, done }: Message, why: string): void {
    const { headers } = toDeadLetter(publish, stamp, { code: "refused-by-kafka", message: why }, 0);
    const traceId = traceIdOf(headers[headerNames.traceparent]);
    const topic = publish.topic.slice(0, LOGGED_TOPIC_CHARACTERS);
    this.#logger.error({ client, topic, traceId, headers }, "message dropped");
    done("bridge.dropped");
  }

  /** Once at most half of what may wait does: connects anew where messages were turned away. */
  #reconnectTurnedAway(): void {
    if (this.#turnedAway.size === 0 || this.#waitingBytes > this.#limits.waitingBytes / 2) return;
    for (const client of this.#turnedAway) this.#receiver?.reconnect(client);
    this.#turnedAway.clear();
  }

  #measure(): void {
    this.#metrics.set("bridge.in-flight", this.#inFlight);
    this.#metrics.set("bridge.waiting-bytes", this.#waitingBytes);
  }

  /**
   * Appends ticks, but only while messages can arrive: during an outage of the broker or of this program a sensor that
   * sends nothing is not silent. While ticks wait for Kafka there are no further ones.
   */
  #tick(): void {
    this.#metrics.set("bridge.kafka-silence", this.#records.unacknowledgedMs);
    if (this.#ticksUnderWay > 0 || (this.#receiver?.subscribed ?? 0) === 0) return;
    for (const record of ticks(this.#partitionCounts)) {
      this.#ticksUnderWay++;
      const onStored = (): void => void this.#ticksUnderWay--;
      this.#records.add({ record, source: TICKS, onStored, onRefused: onStored });
    }
  }

  async #refreshPartitions(): Promise<void> {
    try {
      this.#partitionCounts = await this.#sender.partitionCounts(this.#tickedTopics);
      for (const topic of this.#tickedTopics)
        if (!this.#partitionCounts.has(topic))
          this.#logger.error({ topic }, "a topic does not exist: nothing can be stored in it until it is created");
    } catch (error) {
      this.#logger.warn({ err: error }, "cannot read the partitions of the input topics");
    }
  }
}

/** Resolves when the condition holds, or at the deadline. */
async function until(holds: () => boolean, deadline: number): Promise<void> {
  while (!holds() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
}

/** Doubles from `FIRST_RETRY_MS` up to `LAST_RETRY_MS`; the exponent is bounded, as attempts are not. */
function retryDelayMs(attempt: number): number {
  return Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempt - 1, 10));
}
