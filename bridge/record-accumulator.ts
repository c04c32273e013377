import { setTimeout as sleep } from "node:timers/promises";
import type { BridgeRecord } from "./to-record.ts";

/** Where the accumulator sends its batches. */
export interface RecordSender {
  /** Resolves when Kafka has acknowledged all records. When it rejects, any of them may have been written. */
  send(records: readonly BridgeRecord[]): Promise<void>;
  /** Closes the connection, if there is one, and opens a new one. Rejects when that fails. */
  restart(): Promise<void>;
}

/** A record that waits to be sent. */
export interface PendingRecord {
  readonly record: BridgeRecord;
  /** Called once Kafka has acknowledged the record. */
  readonly onStored: () => void;
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
  /** Called for each failed attempt, n from 1. */
  readonly onFailure: (error: unknown, attempt: number) => void;
}

/** Bytes that Kafka's record format adds to key, value and headers, rounded up. */
const RECORD_OVERHEAD_BYTES = 100;

/**
 * The queue of records that Kafka has not acknowledged, named after the one in Kafka's own producer. It sends batches
 * in order, one at a time, each until Kafka has acknowledged all of it. The queue has no bound of its own: the bridge
 * adds at most as many records as its MQTT connections may leave unacknowledged.
 */
export class RecordAccumulator {
  readonly #sender: RecordSender;
  readonly #options: AccumulatorOptions;
  #queue: { entry: PendingRecord; bytes: number; addedAt: number }[] = [];
  #sending = 0;
  #wake: (() => void) | null = null;
  #closed = false;
  #sendingSince: number | null = null;

  constructor(sender: RecordSender, options: AccumulatorOptions) {
    this.#sender = sender;
    this.#options = options;
  }

  /** Records that Kafka has not acknowledged: those that wait and those of the batch being sent. */
  get size(): number {
    return this.#queue.length + this.#sending;
  }

  /** How long the batch being sent has waited for Kafka's acknowledgement, all attempts included; 0 without one. */
  get unacknowledgedMs(): number {
    return this.#sendingSince === null ? 0 : performance.now() - this.#sendingSince;
  }

  /** Appends a record to the queue. */
  add(entry: PendingRecord): void {
    this.#queue.push({ entry, bytes: recordBytes(entry.record), addedAt: performance.now() });
    this.#wake?.();
  }

  /** Removes the records of one source that wait, not those of the batch being sent. Returns how many. */
  discard(source: string): number {
    const before = this.#queue.length;
    this.#queue = this.#queue.filter(({ entry }) => entry.source !== source);
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
      this.#sending = batch.length;
      const stored = await this.#deliver(batch.map(({ record }) => record));
      this.#sending = 0;
      if (stored) for (const { onStored } of batch) onStored();
    }
  }

  /** Ends `run` after the current attempt. Records that are left stay unacknowledged. */
  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  #takeBatch(): PendingRecord[] {
    let bytes = 0;
    let count = 0;
    for (const item of this.#queue) {
      const full = count === this.#options.maxBatchRecords;
      const tooLarge = count > 0 && bytes + item.bytes > this.#options.maxBatchBytes;
      if (full || tooLarge) break;
      bytes += item.bytes;
      count++;
    }
    return this.#queue.splice(0, count).map(({ entry }) => entry);
  }

  /**
   * Sends one batch until it is acknowledged; false when `close` came first. An error does not say what was written, so
   * a new producer sends the whole batch again. The processor drops the duplicates by their sequence number.
   */
  async #deliver(records: readonly BridgeRecord[]): Promise<boolean> {
    this.#sendingSince = performance.now();
    for (let attempt = 0; !this.#closed; attempt++) {
      try {
        if (attempt > 0) await this.#sender.restart();
        await this.#sender.send(records);
        this.#sendingSince = null;
        return true;
      } catch (error) {
        this.#options.onFailure(error, attempt + 1);
        if (!this.#closed) await sleep(this.#options.retryDelayMs(attempt + 1));
      }
    }
    return false;
  }
}

function recordBytes({ key, value, headers }: BridgeRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0);
  for (const [name, text] of Object.entries(headers)) bytes += name.length + Buffer.byteLength(text) + 8;
  return bytes;
}
