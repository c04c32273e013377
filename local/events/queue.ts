import { appendFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "../../adapters/log.ts";
import type { Metrics } from "../../adapters/metrics.ts";
import { tradeQueue } from "../../domain/event-source-mappings.ts";
import type { Milliseconds } from "../../domain/time.ts";
import { Journal, journalBytes, type JournalEntry } from "../aws/journal.ts";
import type { Invoke } from "../lambda/invoke.ts";
import {
  failedIds,
  fittingMessages,
  messageBytes,
  newMessage,
  QUEUE_NAME,
  sqsEvent,
  sqsRecord,
  type QueueMessage,
} from "./messages.ts";

/** An event for the queue. */
export interface QueuedEvent {
  readonly body: string;
  readonly traceHeader: string | undefined;
}

export interface EventQueueOptions {
  readonly dataDir: string;
  /** Bytes that may wait. */
  readonly journalBytes: number;
  readonly onFailureDir: string;
  readonly region: string;
  readonly invoke: Invoke;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Delay before the next delivery, by how often the message was delivered. @default from 0.2 to 30 s, doubling */
  readonly backOff?: (receives: number) => Milliseconds;
}

/** Size at which a segment is read, though its window is not over. */
const SEGMENT_BYTES = 4 * 1024 * 1024;
/** Bytes of messages that wait for their next delivery. Above it, or a batch of them, no further ones are read. */
const RETRYING_BYTES = 16 * 1024 * 1024;
const POLL_MS = 50;
const FIRST_BACK_OFF_MS = 200;
const LONGEST_BACK_OFF_MS = 30_000;
/** Time that the last deliveries get when the program stops. */
const DRAIN_LIMIT_MS = 5_000;

/** A message that failed, and when it is due again (monotonic). */
interface Retry {
  readonly message: QueueMessage;
  readonly dueMs: Milliseconds;
  readonly bytes: number;
}

/**
 * A queue and its Lambda event source, on the disk of this machine:
 *
 * 1. `put` appends events to the journal. When it resolves, they are on the disk.
 * 2. A journal segment is sealed when the batching window is over, or it has a batch.
 * 3. Its messages are delivered in batches. One that fails is delivered again after a delay; the others are done. After
 *    the last attempt it goes to the on-failure file.
 * 4. A segment is removed when all its messages are done.
 *
 * After a crash before step 4, all messages of the segment are delivered again: at least once, as with SQS.
 */
export class EventQueue {
  readonly #options: EventQueueOptions;
  readonly #journal: Journal;
  /** Bytes of appends under way. */
  #appending = 0;
  /** Entries appended since the last seal. */
  #unsealed = 0;
  /** Messages of the segment that was read last, to be delivered. */
  #ready: QueueMessage[] = [];
  #retries: Retry[] = [];
  /** Messages that are not done, by segment. */
  readonly #left = new Map<string, number>();
  readonly #segmentOf = new WeakMap<QueueMessage, string>();
  #problem: string | null = null;
  #stopAt = Infinity;
  #loop: Promise<void> = Promise.resolve();

  private constructor(options: EventQueueOptions, journal: Journal) {
    this.#options = options;
    this.#journal = journal;
  }

  /** Opens the queue and begins to deliver. Only one process may have a folder open. */
  static async open(options: EventQueueOptions): Promise<EventQueue> {
    const queue = new EventQueue(options, await Journal.open(join(options.dataDir, QUEUE_NAME)));
    queue.#loop = queue.#run();
    return queue;
  }

  /**
   * Stores events. Resolves, when they are on the disk, with how many of the first ones there was room for. Rejects
   * when they could not be written.
   */
  async put(events: readonly QueuedEvent[], nowMs: number): Promise<number> {
    const entries: JournalEntry[] = [];
    let bytes = 0;
    for (const { body, traceHeader } of events) {
      const data = Buffer.from(`${JSON.stringify(traceHeader ?? null)}\n${body}`);
      const size = journalBytes(data.length);
      if (this.#journal.bytes() + this.#appending + bytes + size > this.#options.journalBytes) break;
      entries.push({ arrivalMs: nowMs, data });
      bytes += size;
    }
    if (entries.length === 0) return 0;
    this.#appending += bytes;
    try {
      await this.#journal.append(entries);
    } finally {
      this.#appending -= bytes;
    }
    this.#unsealed += entries.length;
    return entries.length;
  }

  /** Why events are not delivered at the moment; null when they are. */
  problem(): string | null {
    return this.#problem;
  }

  /** Delivers what is due, for at most five seconds. What is left is delivered after the next start. */
  async close(): Promise<void> {
    this.#stopAt = performance.now() + DRAIN_LIMIT_MS;
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (performance.now() < this.#stopAt) {
      try {
        await this.#sealWhenDue();
        const batch = await this.#nextBatch();
        if (batch.length > 0) await this.#deliver(batch);
        else if (this.#stopAt !== Infinity) return;
        else await sleep(POLL_MS);
        await this.#removeDone();
      } catch (error) {
        this.#problem = (error as Error).message;
        this.#options.log.warn({ err: error }, "cannot read the queue's journal: trying again");
        await sleep(FIRST_BACK_OFF_MS);
      }
      this.#options.metrics.set("events.waiting-bytes", this.#journal.bytes());
    }
  }

  async #sealWhenDue(): Promise<void> {
    const { bytes, ageMs } = this.#journal.active(Date.now());
    const full = bytes >= SEGMENT_BYTES || this.#unsealed >= tradeQueue.batchSize;
    if (bytes === 0 || !(full || ageMs >= tradeQueue.batchingWindowMs || this.#stopAt !== Infinity)) return;
    this.#unsealed = 0;
    await this.#journal.seal();
  }

  /** Messages that are due again, then new ones, as many as an invocation takes. */
  async #nextBatch(): Promise<QueueMessage[]> {
    const nowMs = performance.now();
    const due = this.#retries.filter(({ dueMs }) => dueMs <= nowMs).map(({ message }) => message);
    const retryingBytes = this.#retries.reduce((sum, { bytes }) => sum + bytes, 0);
    const mayRead = this.#retries.length < tradeQueue.batchSize && retryingBytes < RETRYING_BYTES;
    if (mayRead && this.#ready.length === 0) await this.#readSegment();
    const candidates = mayRead ? [...due, ...this.#ready.slice(0, tradeQueue.batchSize)] : due;
    const batch = candidates.slice(0, fittingMessages(candidates));
    const taken = new Set(batch);
    this.#retries = this.#retries.filter(({ message }) => !taken.has(message));
    this.#ready = this.#ready.slice(Math.max(0, batch.length - due.length));
    return batch;
  }

  /** Reads the oldest sealed segment that has not been read. */
  async #readSegment(): Promise<void> {
    const segment = this.#journal.sealed().find(({ name }) => !this.#left.has(name));
    if (!segment) return;
    const { entries, corrupt } = await this.#journal.read(segment.name);
    if (corrupt > 0)
      this.#options.log.warn(
        { segment: segment.name, pieces: corrupt },
        "a journal segment ends in what was never acknowledged",
      );
    this.#ready = entries.map(({ arrivalMs, data }) => {
      const text = Buffer.from(data).toString("utf8");
      const end = text.indexOf("\n");
      const traceHeader = (JSON.parse(text.slice(0, end)) as string | null) ?? undefined;
      const message = newMessage(text.slice(end + 1), traceHeader, arrivalMs);
      this.#segmentOf.set(message, segment.name);
      return message;
    });
    this.#left.set(segment.name, this.#ready.length);
  }

  async #deliver(batch: readonly QueueMessage[]): Promise<void> {
    const { invoke, region, log, metrics } = this.#options;
    for (const message of batch) {
      message.receives++;
      message.firstReceivedMs ??= Date.now();
    }
    let failed: ReadonlySet<string>;
    let reason = "the function reported failures";
    try {
      const reported = failedIds(await invoke(sqsEvent(batch, region)), batch);
      if (reported === null) throw new Error("the function reported failures of messages that were not in its batch");
      failed = reported;
    } catch (error) {
      reason = (error as Error).message;
      failed = new Set(batch.map(({ messageId }) => messageId));
    }
    const failures = batch.filter(({ messageId }) => failed.has(messageId));
    for (const message of batch) if (!failed.has(message.messageId)) this.#settle(message);
    metrics.add("events.delivered", batch.length - failures.length);
    this.#problem = failures.length === 0 ? null : `${failures.length} of ${batch.length} messages failed: ${reason}`;
    if (failures.length === 0) return;
    metrics.add("events.retries", failures.length);
    log.warn({ failed: failures.length, messages: batch.length, reason }, "part of a batch failed");
    const givenUp = failures.filter(({ receives }) => receives >= tradeQueue.maxReceiveCount);
    const discarded = new Set(givenUp.length > 0 && (await this.#discard(givenUp)) ? givenUp : []);
    for (const message of failures.filter((each) => !discarded.has(each)))
      this.#retries.push({
        message,
        dueMs: performance.now() + this.#backOff(message.receives),
        bytes: messageBytes(message),
      });
  }

  /** Writes messages to the on-failure file, as lines of JSON. Returns false when it can't: they are kept. */
  async #discard(messages: readonly QueueMessage[]): Promise<boolean> {
    const { onFailureDir, region, log, metrics } = this.#options;
    const file = failureFile(onFailureDir);
    try {
      await mkdir(onFailureDir, { recursive: true });
      const lines = messages.map((message) => `${JSON.stringify(sqsRecord(message, region))}\n`);
      await appendFile(file, lines.join(""), { flush: true });
    } catch (error) {
      log.warn({ err: error, file }, "cannot write to the on-failure file: retrying");
      return false;
    }
    for (const message of messages) this.#settle(message);
    metrics.add("events.discarded", messages.length);
    log.error({ messages: messages.length, file }, "messages went to the on-failure file");
    return true;
  }

  #settle(message: QueueMessage): void {
    const segment = this.#segmentOf.get(message)!;
    this.#left.set(segment, this.#left.get(segment)! - 1);
  }

  async #removeDone(): Promise<void> {
    for (const [segment, left] of this.#left) {
      if (left > 0) continue;
      await this.#journal.remove(segment);
      this.#left.delete(segment);
    }
  }

  #backOff(receives: number): Milliseconds {
    return (this.#options.backOff ?? backOff)(receives);
  }
}

/** The file that takes the place of the dead-letter queue. */
export function failureFile(onFailureDir: string): string {
  return join(onFailureDir, `${tradeQueue.functionName}.${QUEUE_NAME}.ndjson`);
}

/** Delay before a message is delivered again, by how often it was. */
export function backOff(receives: number): Milliseconds {
  return Math.min(LONGEST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** (receives - 1));
}
