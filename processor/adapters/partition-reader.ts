import type { LogRecord } from "../../adapters/record-batches.ts";
import { MillraceError } from "../../domain/errors.ts";
import type { LogBounds, TaskInput } from "../engine/ports.ts";
import type { InputRecord } from "../runtime/machine.ts";

/** Bytes fetched ahead. With this many, the partition is not fetched again until the task has read them. */
export const PREFETCH_BYTES = 500_000;
/** Bytes that a record counts besides its value. */
const RECORD_OVERHEAD = 100;

/** A reader's place in the partition. The epoch changes with every `seek`. */
export interface Position {
  readonly epoch: number;
  readonly offset: number;
}

/** What a reader needs from the input that fetches for it. */
interface ReaderParts {
  readonly partition: number;
  bounds(): Promise<LogBounds>;
  /** Called when the reader has room for records again. */
  onRoom(): void;
  onClose(reader: PartitionReader): void;
}

/** The input of one life of a task: its position in the partition, and the records that were fetched ahead. */
export class PartitionReader implements TaskInput {
  readonly #parts: ReaderParts;
  #fetched: InputRecord[] = [];
  #bytes = 0;
  #fetchOffset = -1;
  #highWatermark = 0;
  #epoch = 0;
  #failure: MillraceError | null = null;
  #resume: (() => void) | null = null;
  #closed = false;

  constructor(parts: ReaderParts) {
    this.#parts = parts;
  }

  get partition(): number {
    return this.#parts.partition;
  }

  /** Offset to fetch next; -1 before the first `seek`. */
  get fetchOffset(): number {
    return this.#fetchOffset;
  }

  /** Where it is: names what is asked for. */
  get position(): Position {
    return { epoch: this.#epoch, offset: this.#fetchOffset };
  }

  /**
   * Whether an answer to what was asked for at a position may be delivered. After a seek it may not, nor when another
   * broker, which leads the partition now, has answered first.
   */
  isAt({ epoch, offset }: Position): boolean {
    return epoch === this.#epoch && offset === this.#fetchOffset;
  }

  /** Whether it has room for records. */
  get hasRoom(): boolean {
    return !this.#closed && this.#fetchOffset >= 0 && this.#bytes < PREFETCH_BYTES && this.#failure === null;
  }

  bounds(): Promise<LogBounds> {
    return this.#parts.bounds();
  }

  seek(offset: number): void {
    this.#fetched = [];
    this.#bytes = 0;
    this.#fetchOffset = offset;
    this.#epoch++;
    this.#parts.onRoom();
  }

  async read(waitMs: number): Promise<readonly InputRecord[]> {
    if (this.#fetched.length === 0 && !this.#failure && waitMs > 0) await this.#wait(waitMs);
    if (this.#fetched.length === 0) {
      if (this.#failure) throw this.#failure;
      return [];
    }
    const records = this.#fetched;
    const wasFull = this.#bytes >= PREFETCH_BYTES;
    this.#fetched = [];
    this.#bytes = 0;
    if (wasFull) this.#parts.onRoom();
    return records;
  }

  #wait(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#resume?.(), waitMs);
      this.#resume = () => {
        clearTimeout(timer);
        this.#resume = null;
        resolve();
      };
    });
  }

  wake(): void {
    this.#resume?.();
  }

  /** Nothing more can be read: `read` throws this error when it has given what was fetched before. */
  fail(error: MillraceError): void {
    this.#failure ??= error;
    this.wake();
  }

  /** Takes fetched records. Called by the input. */
  deliver(records: LogRecord[], nextOffset: number, highWatermark: number): void {
    this.#highWatermark = highWatermark;
    this.#fetchOffset = nextOffset;
    if (records.length === 0) return;
    if (this.#fetched.length === 0) this.#fetched = records;
    else for (const record of records) this.#fetched.push(record);
    for (const record of records) this.#bytes += record.size + RECORD_OVERHEAD;
    this.wake();
  }

  /** The broker said that the position is outside the log. If that is so, `read` fails from now on. */
  async outOfRange(): Promise<void> {
    const { earliest, latest } = await this.bounds();
    // A leader that was only just elected may have lagged behind.
    if (this.#fetchOffset >= earliest && this.#fetchOffset <= latest) return;
    this.fail(
      new MillraceError(
        "input-lost",
        `partition ${this.partition}: the log starts at ${earliest} and ends at ${latest}, ` +
          `but the task needs offset ${this.#fetchOffset}; see \`npm run recover\``,
      ),
    );
  }

  lag(): number {
    return Math.max(0, this.#highWatermark - (this.#fetched[0]?.offset ?? this.#fetchOffset));
  }

  close(): void {
    this.#closed = true;
    this.#fetched = [];
    this.wake();
    this.#parts.onClose(this);
  }
}
