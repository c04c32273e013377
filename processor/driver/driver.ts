import type { EpochMs, Milliseconds } from "../../domain/time.ts";
import { controlTypes, headers as headerNames, TICK_INTERVAL, topics } from "../../domain/topics.ts";
import type { InputRecord, MachineFactory } from "../runtime/machine.ts";
import type { DriverBackend, WrittenRecord } from "./backend.ts";
import { InMemoryBackend } from "./in-memory.ts";
import {
  inTopicOrder,
  isJson,
  parseDeadLetter,
  parseOutput,
  type DeadLetter,
  type DriverOutput,
  type RawOutput,
} from "./outputs.ts";

/** A record before the driver appends it. */
type NewRecord = Omit<InputRecord, "offset" | "partition">;

/** One data record for the driver. */
export interface DriverRecord {
  /** The sensor or symbol. @default null */
  readonly key?: string | null;
  /** Whole milliseconds, as Kafka keeps them. @default the partition clock */
  readonly timestamp?: EpochMs;
  /** Bytes, text and null as they are; anything else as JSON. */
  readonly value: unknown;
  /** @default none */
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Runs a pipeline's machine for one partition, for tests of pipelines. Takes records and ticks, advances both clocks,
 * and gives the outputs. `snapshot()`, `crash()` and `restore()` may stand between any two inputs. Runs in memory or,
 * with `driverOnKafka` in `on-kafka.ts`, the same test on Kafka and DynamoDB with the real engine.
 *
 * A test reads what a reader of the topics sees: each output once, whatever crashed. Every method resolves when its
 * input is processed and its outputs are read. Records that are appended after a crash wait for `restore()`. A test
 * makes one call at a time, except that `crash()` may come while another call is under way. That call then resolves;
 * its outputs are there at once or after `restore()`.
 *
 * A call rejects with the named error that would stop a task, such as `replay-diverged` for a pipeline that gives other
 * outputs after a crash. A record on which the pipeline's code throws becomes a dead letter, `processing-failed`.
 */
export class PipelineDriver {
  readonly #backend: DriverBackend;
  readonly #outputs: RawOutput[] = [];
  #crashed = false;
  #clock: EpochMs = 0;
  #nextOffset = 0;

  /** @param backend Where the pipeline runs. @default in memory */
  constructor(factory: MachineFactory, backend: DriverBackend = new InMemoryBackend(factory)) {
    this.#backend = backend;
  }

  /** Offset that the next record will get. */
  get nextOffset(): number {
    return this.#nextOffset;
  }

  /** The partition clock: the highest record timestamp so far, 0 before the first record. */
  get clock(): EpochMs {
    return this.#clock;
  }

  /** Appends one data record. */
  async record({ key = null, timestamp = this.#clock, value, headers = {} }: DriverRecord): Promise<void> {
    await this.append({ timestamp, key: key === null ? null : Buffer.from(key), value: bytesOf(value), headers });
  }

  /** Appends a tick, which moves the partition clock to `timestamp`. */
  async tick(timestamp: EpochMs): Promise<void> {
    await this.append(tickAt(timestamp));
  }

  /** Moves the partition clock by ticks that are a second apart, as the bridge appends them. */
  async advanceClock(milliseconds: Milliseconds): Promise<void> {
    const until = this.#clock + milliseconds;
    const ticks = [];
    for (let at = this.#clock; at < until;) ticks.push(tickAt((at = Math.min(at + TICK_INTERVAL, until))));
    await this.#append(ticks);
  }

  /**
   * Moves a key's event time to `to` by a record with a reading of that time, which counts like any other. The key's
   * watermark follows, behind by the out-of-orderness bound. Moves the partition clock to `to` if it is behind, so that
   * the future guard lets the reading pass.
   *
   * @param readingAt Gives the record's value. `offset` is the record's, a number that no other record has.
   */
  async advanceEventTime(key: string, to: EpochMs, readingAt: (to: EpochMs, offset: number) => unknown): Promise<void> {
    await this.record({ key, timestamp: Math.max(this.#clock, Math.ceil(to)), value: readingAt(to, this.#nextOffset) });
  }

  /** Appends a record as it is. @throws RangeError for a timestamp that Kafka can't keep */
  async append(record: NewRecord): Promise<void> {
    await this.#append([record]);
  }

  async #append(records: readonly NewRecord[]): Promise<void> {
    for (const { timestamp } of records)
      if (!Number.isSafeInteger(timestamp) || timestamp < 0)
        throw new RangeError(`a record's timestamp is ${timestamp}: Kafka keeps whole milliseconds from 0`);
    await this.#backend.append(records.map((record, i) => ({ ...record, partition: 0, offset: this.#nextOffset + i })));
    this.#nextOffset += records.length;
    for (const { timestamp } of records) this.#clock = Math.max(this.#clock, timestamp);
    if (!this.#crashed) this.#add(await this.#backend.settle());
  }

  /**
   * Ends time, as `replay --flush` does. Only reading may follow.
   *
   * @throws Error on Kafka, where time does not end: advance the clock past the idle timeout instead
   */
  async flush(): Promise<void> {
    this.#mustRun("flush");
    this.#add(await this.#backend.flush());
  }

  /** Keeps the state as it is, for the next `restore()`. On Kafka, a task hands over to a new one. */
  async snapshot(): Promise<void> {
    this.#mustRun("snapshot");
    await this.#backend.snapshot();
  }

  /** Kills the process: its state is gone, the log and the last snapshot stay. Records wait for `restore()` now. */
  crash(): void {
    this.#crashed = true;
    this.#backend.crash();
  }

  /**
   * Starts a new owner, which restores the last snapshot and catches up. An old one that still lives crashes first.
   *
   * @throws MillraceError `replay-diverged` when the outputs differ from those that were given before
   */
  async restore(): Promise<void> {
    this.#backend.crash();
    this.#crashed = false;
    this.#add(await this.#backend.settle());
  }

  /** Ends the driver. On Kafka, removes everything that it created there. */
  async close(): Promise<void> {
    await this.#backend.close();
  }

  #add(written: readonly WrittenRecord[]): void {
    for (const output of inTopicOrder(written)) this.#outputs.push(output);
  }

  #mustRun(method: string): void {
    if (this.#crashed) throw new Error(`the driver has crashed: call restore() before ${method}()`);
  }

  /**
   * All outputs, as they stand in the topics. Within a topic they are in the order of production. The outputs of one
   * call stand together, topic by topic in the order of their names.
   */
  get raw(): readonly RawOutput[] {
    return this.#outputs;
  }

  /** The JSON outputs to one topic, or to all, in the order of `raw`. Dead letters are left out. */
  outputs(topic?: string): DriverOutput[] {
    return this.#outputs
      .filter((output) => isJson(output) && (topic === undefined || output.topic === topic))
      .map(parseOutput);
  }

  /** The late records. @param topic Where the pipeline writes them. @default sensor-data-late */
  late(topic: string = topics.late.name): DriverOutput[] {
    return this.outputs(topic);
  }

  /** The dead letters, in order. */
  deadLetters(): DeadLetter[] {
    return this.#outputs.filter(({ topic }) => topic === topics.deadLetter.name).map(parseDeadLetter);
  }
}

function tickAt(timestamp: EpochMs): NewRecord {
  return { timestamp, key: null, value: null, headers: { [headerNames.type]: controlTypes.tick } };
}

function bytesOf(value: unknown): Uint8Array | null {
  if (value === null || value instanceof Uint8Array) return value;
  return Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
}
