import { setTimeout as sleep } from "node:timers/promises";
import type { BridgeRecord } from "./to-record.ts";

/** Where the outbox's batches go. */
export interface RecordSender {
  /** Resolves when Kafka has acknowledged all of them. After a rejection some may or may not have been written. */
  send(records: readonly BridgeRecord[]): Promise<void>;
  /** Throws away whatever connection there is and makes a new one; rejects while that is impossible. */
  restart(): Promise<void>;
}

export interface OutboxEntry {
  readonly record: BridgeRecord;
  /** Called once Kafka has acknowledged the record. */
  readonly onStored: () => void;
  /** Whose entries `discard` removes. */
  readonly source: string;
}

export interface OutboxOptions {
  /** How long the oldest waiting record waits for company. */
  readonly lingerMs: number;
  /** Bounds of one batch. Kafka refuses a batch of over 1 MB for a partition. */
  readonly maxBatchBytes: number;
  readonly maxBatchRecords: number;
  /** Wait before the n-th attempt at a batch that failed, n from 1. */
  readonly retryDelayMs: (attempt: number) => number;
  readonly onFailure: (error: unknown, attempt: number) => void;
}

/** Bytes that Kafka's record format adds to key, value and headers, generously. */
const RECORD_OVERHEAD_BYTES = 100;

/**
 * A queue of records on their way to Kafka, in order: batch after batch, each sent until Kafka has acknowledged all of
 * it. It is bounded by who fills it: the bridge adds at most as many as its MQTT connections may leave unacknowledged.
 */
export class Outbox {
  readonly #sender: RecordSender;
  readonly #options: OutboxOptions;
  #queue: { entry: OutboxEntry; bytes: number; addedAt: number }[] = [];
  #sending = 0;
  #wake: (() => void) | null = null;
  #closed = false;
  #sendingSince: number | null = null;

  constructor(sender: RecordSender, options: OutboxOptions) {
    this.#sender = sender;
    this.#options = options;
  }

  /** Entries that Kafka has not acknowledged. */
  get size(): number {
    return this.#queue.length + this.#sending;
  }

  /** How long the batch on its way has waited for Kafka's acknowledgement, all attempts included; 0 when there is none. */
  get unacknowledgedMs(): number {
    return this.#sendingSince === null ? 0 : performance.now() - this.#sendingSince;
  }

  add(entry: OutboxEntry): void {
    this.#queue.push({ entry, bytes: recordBytes(entry.record), addedAt: performance.now() });
    this.#wake?.();
  }

  /** Removes what is waiting, not yet on its way, of one source. */
  discard(source: string): number {
    const before = this.#queue.length;
    this.#queue = this.#queue.filter(({ entry }) => entry.source !== source);
    return before - this.#queue.length;
  }

  /** Sends batches until `close`; call once. */
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

  /** Ends `run` after the attempt that is under way; what is left stays unacknowledged. */
  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  #takeBatch(): OutboxEntry[] {
    let bytes = 0;
    let count = 0;
    for (const item of this.#queue) {
      if (count === this.#options.maxBatchRecords || (count > 0 && bytes + item.bytes > this.#options.maxBatchBytes))
        break;
      bytes += item.bytes;
      count++;
    }
    return this.#queue.splice(0, count).map(({ entry }) => entry);
  }

  /**
   * Sends one batch until it is acknowledged. After an error nobody knows what was written, so all of it is sent again
   * by a new producer: what is then twice in the log is dropped downstream by its sequence number.
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
