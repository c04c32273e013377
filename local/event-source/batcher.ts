import { MAX_EVENT_BYTES } from "../../domain/event-source-mappings.ts";
import { eventBytes, failedFrom, partitionName, type KafkaRecord } from "./event.ts";
import type { Outcome } from "./retry.ts";

/** Bytes of an event without its records, rounded up. */
const ENVELOPE_BYTES = 1_024;

/** How many of the first records fit into one event; at least 1. */
export function fittingPrefix(records: readonly KafkaRecord[], batchSize: number): number {
  let bytes = ENVELOPE_BYTES;
  for (let i = 0; i < records.length; i++) {
    bytes += eventBytes(records[i] as KafkaRecord);
    if (i >= batchSize || (i > 0 && bytes > MAX_EVENT_BYTES)) return i;
  }
  return records.length;
}

interface Waiting {
  readonly records: readonly KafkaRecord[];
  readonly settle: (outcome: Outcome & { error?: unknown }) => void;
}

/**
 * Gathers slices of several partitions into events: all that are given in one turn of the event loop, as those of one
 * fetch are, until an event is full. Then it invokes the function, and settles each slice with its own outcome.
 */
export class Batcher {
  readonly #options: {
    batchSize: number;
    invoke: (records: readonly KafkaRecord[]) => Promise<unknown>;
  };
  #waiting: Waiting[] = [];
  #records = 0;
  #bytes = ENVELOPE_BYTES;
  #flushing: NodeJS.Immediate | undefined;

  constructor(options: { batchSize: number; invoke: (records: readonly KafkaRecord[]) => Promise<unknown> }) {
    this.#options = options;
  }

  /**
   * Delivers records of one partition, which must fit into an event. With `alone` the event has no other records, so
   * that a failure must be theirs. Never rejects; `error` is the reason when the outcome is not ok.
   */
  deliver(records: readonly KafkaRecord[], alone: boolean): Promise<Outcome & { error?: unknown }> {
    return new Promise((settle) => {
      if (alone) {
        void this.#invoke([{ records, settle }]);
        return;
      }
      const bytes = records.reduce((sum, record) => sum + eventBytes(record), 0);
      if (this.#records + records.length > this.#options.batchSize || this.#bytes + bytes > MAX_EVENT_BYTES)
        this.#flush();
      this.#waiting.push({ records, settle });
      this.#records += records.length;
      this.#bytes += bytes;
      if (this.#records >= this.#options.batchSize) this.#flush();
      else this.#flushing ??= setImmediate(() => this.#flush());
    });
  }

  #flush(): void {
    clearImmediate(this.#flushing);
    this.#flushing = undefined;
    const slices = this.#waiting;
    this.#waiting = [];
    this.#records = 0;
    this.#bytes = ENVELOPE_BYTES;
    if (slices.length > 0) void this.#invoke(slices);
  }

  async #invoke(slices: readonly Waiting[]): Promise<void> {
    const records = slices.flatMap((slice) => slice.records);
    const shared = slices.length > 1;
    try {
      const failed = failedFrom(await this.#options.invoke(records), records);
      if (failed === null) throw new Error("the function reported failures of records that were not in its batch");
      for (const slice of slices) {
        const { topic, partition } = slice.records[0] as KafkaRecord;
        const resumeFrom = failed.get(partitionName(topic, partition));
        if (resumeFrom === undefined) slice.settle({ ok: true });
        else {
          const error = new Error(`the function reported a failure at offset ${resumeFrom}`);
          slice.settle({ ok: false, resumeFrom, shared, error });
        }
      }
    } catch (error) {
      for (const slice of slices) slice.settle({ ok: false, resumeFrom: null, shared, error });
    }
  }
}
