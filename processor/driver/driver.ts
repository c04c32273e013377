import type { EpochMs, Milliseconds } from "../../domain/time.ts";
import { contentTypes, controlTypes, headers as headerNames, TICK_INTERVAL, topics } from "../../domain/topics.ts";
import type { InputRecord, MachineFactory } from "../runtime/machine.ts";
import type { DriverBackend, WrittenRecord } from "./backend.ts";
import { InMemoryBackend } from "./in-memory.ts";

/** One record for the driver; everything but the value may be left out. */
export interface DriverRecord {
  /** The sensor or symbol. */
  readonly key?: string | null;
  /** Whole milliseconds, as Kafka keeps them. Default: the partition clock, as far as it was moved. */
  readonly timestamp?: EpochMs;
  /** Bytes and text as they are; anything else as JSON. */
  readonly value: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A JSON output, parsed, with the topic it went to. */
export interface DriverOutput {
  readonly topic: string;
  readonly key: string;
  readonly value: Record<string, unknown>;
  readonly headers: Readonly<Record<string, string>>;
}

/** An output as it stands in its topic. */
export interface RawOutput {
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}

export interface DeadLetter {
  /** `error-code`. */
  readonly code: string;
  /** Of the record that it was. */
  readonly offset: number;
  readonly key: string;
  /** The bytes as they came. */
  readonly value: Uint8Array | null;
}

/**
 * Runs a pipeline's machine for one partition, for tests of pipelines: feed records and ticks, advance both clocks,
 * read what comes out, and put `snapshot()`, `crash()` and `restore()` between any two inputs. In memory, or, as the
 * same test, on Kafka and DynamoDB with the engine itself: `driverOnKafka` in `on-kafka.ts`.
 *
 * What a test reads is what a reader of the topics sees: each output once, whatever crashed. Every method resolves when
 * its input is processed and its outputs are read; records that come while crashed wait for `restore()`. One call at a
 * time, but `crash()` may strike one that is under way: it then ends, and its outputs may be seen at once or after
 * `restore()`.
 *
 * Errors that stop a task by name reject the call that ran into them, such as `replay-diverged` for a pipeline that
 * gives other outputs after a crash. A record that its code throws on is a dead letter, `processing-failed`.
 */
export class PipelineDriver {
  readonly #backend: DriverBackend;
  readonly #outputs: RawOutput[] = [];
  #crashed = false;
  #clock: EpochMs = 0;
  #nextOffset = 0;

  /** @param backend Where it runs. @default in memory */
  constructor(factory: MachineFactory, backend: DriverBackend = new InMemoryBackend(factory)) {
    this.#backend = backend;
  }

  /** Offset of the record that comes next. */
  get nextOffset(): number {
    return this.#nextOffset;
  }

  /** The partition clock: the highest record timestamp so far, 0 before the first. */
  get clock(): EpochMs {
    return this.#clock;
  }

  /** Appends one data record. */
  async record({ key = null, timestamp = this.#clock, value, headers = {} }: DriverRecord): Promise<void> {
    await this.append({ timestamp, key: key === null ? null : Buffer.from(key), value: bytesOf(value), headers });
  }

  /** Appends a tick: moves the partition clock to `timestamp`. */
  async tick(timestamp: EpochMs): Promise<void> {
    await this.append(tickAt(timestamp));
  }

  /** Moves the partition clock by ticks a second apart, as the bridge appends them. */
  async advanceClock(milliseconds: Milliseconds): Promise<void> {
    const until = this.#clock + milliseconds;
    const ticks = [];
    for (let at = this.#clock; at < until;) ticks.push(tickAt((at = Math.min(at + TICK_INTERVAL, until))));
    await this.#append(ticks);
  }

  /**
   * Moves a key's event time to `to` by the only thing that moves it: a record with a reading taken then, which counts
   * as any other does. The key's watermark follows at its out-of-orderness bound. The partition clock moves along when
   * it is behind, so that the future guard lets the reading pass.
   *
   * @param readingAt Gives the record's value; `offset` is the record's, a number that no other record has.
   */
  async advanceEventTime(key: string, to: EpochMs, readingAt: (to: EpochMs, offset: number) => unknown): Promise<void> {
    await this.record({ key, timestamp: Math.max(this.#clock, Math.ceil(to)), value: readingAt(to, this.#nextOffset) });
  }

  /** Appends a record as it is. */
  async append(record: Omit<InputRecord, "offset" | "partition">): Promise<void> {
    await this.#append([record]);
  }

  async #append(records: readonly Omit<InputRecord, "offset" | "partition">[]): Promise<void> {
    for (const { timestamp } of records)
      if (!Number.isSafeInteger(timestamp) || timestamp < 0)
        throw new RangeError(`a record's timestamp is ${timestamp}: Kafka keeps whole milliseconds from 0`);
    await this.#backend.append(records.map((record, i) => ({ ...record, partition: 0, offset: this.#nextOffset + i })));
    this.#nextOffset += records.length;
    for (const { timestamp } of records) this.#clock = Math.max(this.#clock, timestamp);
    if (!this.#crashed) this.#see(await this.#backend.settle());
  }

  /**
   * Ends time, as `replay --flush` does; only reading may follow.
   *
   * @throws Error on Kafka: time does not end there. Advance the clock past the idle timeout instead.
   */
  async flush(): Promise<void> {
    this.#mustRun("flush");
    this.#see(await this.#backend.flush());
  }

  /** Keeps the state as it is, for the next `restore()`. On Kafka by handing over to a new owner. */
  async snapshot(): Promise<void> {
    this.#mustRun("snapshot");
    await this.#backend.snapshot();
  }

  /** The process dies: state is gone, the log and the last snapshot stay. Records appended now wait for `restore`. */
  crash(): void {
    this.#crashed = true;
    this.#backend.crash();
  }

  /**
   * A new owner: restores the last snapshot and catches up. Without a crash before, the old owner dies by it.
   *
   * @throws MillraceError `replay-diverged` when what it gives differs from the outputs that were given before.
   */
  async restore(): Promise<void> {
    this.#backend.crash();
    this.#crashed = false;
    this.#see(await this.#backend.settle());
  }

  /** Ends the driver; on Kafka, with everything that it created there. */
  async close(): Promise<void> {
    await this.#backend.close();
  }

  #mustRun(method: string): void {
    if (this.#crashed) throw new Error(`the driver has crashed: call restore() before ${method}()`);
  }

  /** The order among topics cannot be read from Kafka, so it is the same everywhere: by name, within each call. */
  #see(written: readonly WrittenRecord[]): void {
    const byTopic = written.toSorted((a, b) => (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : 0));
    for (const { topic, key, value, headers } of byTopic)
      this.#outputs.push({ topic, key: bufferOf(key), value: bufferOf(value), headers });
  }

  /**
   * Everything that was written, as it stands in the topics. Within a topic it is in the order of production; what one
   * call made visible stands together, topic by topic in the order of their names.
   */
  get raw(): readonly RawOutput[] {
    return this.#outputs;
  }

  /** The JSON outputs to one topic, or to all; in the order of `raw`. */
  outputs(topic?: string): DriverOutput[] {
    const wanted = this.#outputs.filter(
      (output) =>
        (topic === undefined || output.topic === topic) &&
        output.topic !== topics.deadLetter.name &&
        output.headers[headerNames.contentType] === contentTypes.json,
    );
    return wanted.map(({ topic: to, key, value, headers }) => ({
      topic: to,
      key: textOf(key),
      value: JSON.parse(textOf(value)) as Record<string, unknown>,
      headers,
    }));
  }

  /** What came too late. @param topic where the pipeline writes it. @default sensor-data-late */
  late(topic: string = topics.late.name): DriverOutput[] {
    return this.outputs(topic);
  }

  deadLetters(): DeadLetter[] {
    return this.#outputs
      .filter(({ topic }) => topic === topics.deadLetter.name)
      .map(({ key, value, headers }) => ({
        code: headers[headerNames.errorCode]!,
        offset: Number(headers[headerNames.sourceOffset]),
        key: textOf(key),
        value,
      }));
  }
}

function tickAt(timestamp: EpochMs): Omit<InputRecord, "offset" | "partition"> {
  return { timestamp, key: null, value: null, headers: { [headerNames.type]: controlTypes.tick } };
}

function bytesOf(value: unknown): Uint8Array | null {
  return value === null || value instanceof Uint8Array
    ? value
    : Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
}

function bufferOf(bytes: Uint8Array | string | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes as Uint8Array);
}

function textOf(bytes: Buffer | null): string {
  return bytes === null ? "" : bytes.toString("utf8");
}
