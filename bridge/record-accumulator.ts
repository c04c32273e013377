import { setTimeout as sleep } from "node:timers/promises";
import { refusalIn } from "./refusal.ts";
import type { BridgeRecord } from "./to-record.ts";

/** Where the accumulator sends its batches. */
export interface RecordSender {
  /** Resolves when Kafka has acknowledged all records. When it rejects, any of them may have been written. */
  send(records: readonly BridgeRecord[]): Promise<void>;
  /** Closes the connection, if there is one, and opens a new one. Rejects when that fails. */
  restart(): Promise<void>;
}

/** A record that waits to be sent. Either `onStored` or `onRefused` is called, once, unless the record is discarded. */
export interface PendingRecord {
  readonly record: BridgeRecord;
  /** Called once Kafka has acknowledged the record. */
  readonly onStored: () => void;
  /** Called when Kafka has refused the record alone, and would refuse it again. */
  readonly onRefused: (error: Error) => void;
  /** Where the record came from; `discard` removes all of one source. */
  readonly source: string;
}

/** When the accumulator sends, how much, and how it retries. */
export interface AccumulatorOptions {
  /** How long the oldest record may wait for others to join its batch (Kafka's `linger.ms`). */
  readonly lingerMs: number;
  /** Bound of a batch, inclusive; one record alone may exceed it. Kafka refuses over 1 MB for a partition. */
  readonly maxBatchBytes: number;
  /** Bound of a batch, inclusive. */
  readonly maxBatchRecords: number;
  /** Milliseconds to wait after the n-th failed attempt at a batch, n from 1. */
  readonly retryDelayMs: (attempt: number) => number;
  /** Called for each failed attempt, n from 1. A refusal is no failure. */
  readonly onFailure: (error: unknown, attempt: number) => void;
}

interface QueuedRecord extends PendingRecord {
  readonly bytes: number;
  readonly addedAt: number;
}

/** Bytes that Kafka's record format adds to key, value and headers, rounded up. */
const RECORD_OVERHEAD_BYTES = 100;

/**
 * The queue of records that Kafka has not acknowledged, named after the one in Kafka's own producer. It sends batches
 * in order, one at a time, each until Kafka has acknowledged all of it. Of a batch that Kafka refuses for good it sends
 * both halves, and so on, until the refused records are found; all others are stored. The queue has no bound of its
 * own: the bridge turns messages away by `bytes`.
 */
export class RecordAccumulator {
  readonly #sender: RecordSender;
  readonly #options: AccumulatorOptions;
  #queue: QueuedRecord[] = [];
  #queuedBytes = 0;
  #sending: readonly QueuedRecord[] = [];
  #sendingBytes = 0;
  #wake: (() => void) | null = null;
  #closed = false;
  #sendingSince: number | null = null;

  constructor(sender: RecordSender, options: AccumulatorOptions) {
    this.#sender = sender;
    this.#options = options;
  }

  /** Records that Kafka has not acknowledged: those that wait and those of the batch being sent. */
  get size(): number {
    return this.#queue.length + this.#sending.length;
  }

  /** Their size in Kafka's record format, rounded up. */
  get bytes(): number {
    return this.#queuedBytes + this.#sendingBytes;
  }

  /** How long the batch being sent has waited for Kafka's acknowledgement, all attempts included; 0 without one. */
  get unacknowledgedMs(): number {
    return this.#sendingSince === null ? 0 : performance.now() - this.#sendingSince;
  }

  /** Appends a record to the queue. */
  add(entry: PendingRecord): void {
    const bytes = recordBytes(entry.record);
    this.#queue.push({ ...entry, bytes, addedAt: performance.now() });
    this.#queuedBytes += bytes;
    this.#wake?.();
  }

  /** Removes the records of one source that wait, not those of the batch being sent. Returns how many. */
  discard(source: string): number {
    const before = this.#queue.length;
    this.#queue = this.#queue.filter((entry) => entry.source !== source);
    this.#queuedBytes = sumBytes(this.#queue);
    return before - this.#queue.length;
  }

  /** Sends batches until `close`. Call it once; it resolves after `close`. */
  async run(): Promise<void> {
    while (!this.#closed) {
      if (this.#queue.length === 0) {
        await new Promise<void>((resolve) => (this.#wake = resolve));
        this.#wake = null;
        continue;
      }
      const wait = this.#queue[0]!.addedAt + this.#options.lingerMs - performance.now();
      if (wait > 0 && this.#queue.length < this.#options.maxBatchRecords) await sleep(wait);
      const batch = this.#takeBatch();
      if (batch.length === 0) continue;
      this.#sending = batch;
      this.#sendingBytes = sumBytes(batch);
      const outcome = await this.#deliver(batch);
      this.#sending = [];
      this.#sendingBytes = 0;
      for (const { entry, refusal } of outcome) {
        if (refusal) entry.onRefused(refusal);
        else entry.onStored();
      }
    }
  }

  /** Ends `run` after the current attempt. Records that are left stay unacknowledged. */
  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  #takeBatch(): QueuedRecord[] {
    let bytes = 0;
    let count = 0;
    for (const item of this.#queue) {
      const full = count === this.#options.maxBatchRecords;
      const tooLarge = count > 0 && bytes + item.bytes > this.#options.maxBatchBytes;
      if (full || tooLarge) break;
      bytes += item.bytes;
      count++;
    }
    this.#queuedBytes -= bytes;
    return this.#queue.splice(0, count);
  }

  /**
   * Sends one batch until each of its records is acknowledged or refused. The outcome has no records that are neither:
   * `close` came first. An error other than a refusal does not say what was written, so a new producer sends the whole
   * batch again. The processor drops the duplicates by their sequence number.
   */
  async #deliver(batch: readonly QueuedRecord[]): Promise<Outcome[]> {
    this.#sendingSince ??= performance.now();
    for (let attempt = 0; !this.#closed; attempt++) {
      try {
        if (attempt > 0) await this.#sender.restart();
        await this.#sender.send(batch.map(({ record }) => record));
        this.#sendingSince = null;
        return batch.map((entry) => ({ entry }));
      } catch (error) {
        const refusal = refusalIn(error);
        if (refusal) {
          this.#sendingSince = null;
          if (batch.length === 1) return [{ entry: batch[0]!, refusal }];
          const half = batch.length >> 1;
          return [...(await this.#deliver(batch.slice(0, half))), ...(await this.#deliver(batch.slice(half)))];
        }
        this.#options.onFailure(error, attempt + 1);
        if (!this.#closed) await sleep(this.#options.retryDelayMs(attempt + 1));
      }
    }
    return [];
  }
}

interface Outcome {
  readonly entry: QueuedRecord;
  /** Absent: Kafka has acknowledged the record. */
  readonly refusal?: Error;
}

function sumBytes(records: readonly QueuedRecord[]): number {
  return records.reduce((sum, { bytes }) => sum + bytes, 0);
}

function recordBytes({ key, value, headers }: BridgeRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0);
  for (const [name, text] of Object.entries(headers)) bytes += name.length + Buffer.byteLength(text) + 8;
  return bytes;
}
