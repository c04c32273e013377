import { headers as headerNames, controlTypes, topics } from "../domain/topics.ts";
import type { EpochMs } from "../domain/time.ts";
import { process, type InputRecord, type MachineFactory, type OutputRecord, StepFailed, type StateEntry, type StateMachine } from "./path/machine.ts";

/** One record for the driver; everything but the value may be left out. */
export interface DriverRecord {
  /** The sensor or symbol. */
  readonly key?: string | null;
  /** Default: the partition clock, as far as it was moved. */
  readonly timestamp?: EpochMs;
  /** Bytes as they are; anything else as JSON. */
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

interface Snapshot {
  readonly nextOffset: number;
  readonly chain: string;
  /** Entries by generation, ascending. */
  readonly generations: ReadonlyMap<number, readonly StateEntry[]>;
}

/** Generations that a snapshot keeps before the oldest are written anew. */
const MAX_GENERATIONS = 8;

/**
 * Runs a pipeline's machine for one partition in memory, for tests of pipelines: feed records and ticks, read what
 * comes out, and put `snapshot()`, `crash()` and `restore()` between any two inputs. What a test reads is what a
 * reader of the topics would see once: after a restore, outputs that were given before are suppressed, and must be
 * reproduced exactly.
 */
export class PipelineDriver {
  readonly #factory: MachineFactory;
  readonly #log: InputRecord[] = [];
  readonly #failed = new Map<number, string>();
  readonly #outputs: OutputRecord[] = [];
  #machine: StateMachine | null = null;
  #crashed = false;
  #clock: EpochMs = 0;
  #generation = 0;
  #snapshot: Snapshot | null = null;

  constructor(factory: MachineFactory) {
    this.#factory = factory;
  }

  /** Offset of the record that comes next. */
  get nextOffset(): number {
    return this.#log.length;
  }

  /** Appends one data record and processes it. */
  async record({ key = null, timestamp = this.#clock, value, headers = {} }: DriverRecord): Promise<void> {
    const bytes = value === null ? null : value instanceof Uint8Array ? value : Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
    await this.#append({ partition: 0, offset: this.#log.length, timestamp, key: key === null ? null : Buffer.from(key), value: bytes, headers });
  }

  /** Appends a tick: moves the partition clock to `timestamp`. */
  async tick(timestamp: EpochMs): Promise<void> {
    await this.record({ timestamp, value: null, headers: { [headerNames.type]: controlTypes.tick } });
  }

  /** Moves the partition clock by ticks a second apart, as the bridge appends them. */
  async advanceClock(milliseconds: number): Promise<void> {
    const until = this.#clock + milliseconds;
    while (this.#clock < until) await this.tick(Math.min(this.#clock + 1_000, until));
  }

  /** Appends a record as it is. */
  async append(record: Omit<InputRecord, "offset" | "partition">): Promise<void> {
    await this.#append({ ...record, partition: 0, offset: this.#log.length });
  }

  async #append(record: InputRecord): Promise<void> {
    this.#log.push(record);
    this.#clock = Math.max(this.#clock, record.timestamp);
    if (this.#crashed) return;
    try {
      this.#outputs.push(...(await process(await this.#running(), [record])));
    } catch (error) {
      if (!(error instanceof StepFailed)) throw error;
      this.#failed.set(record.offset, error.message);
      await this.restore();
    }
  }

  /** Ends time, as `replay --flush` does. */
  async flush(): Promise<void> {
    const machine = await this.#running();
    machine.flush();
    this.#outputs.push(...(await machine.settle()));
  }

  /** Writes what changed since the last snapshot, and drops what no item needs any more. */
  async snapshot(): Promise<void> {
    const machine = await this.#running();
    const generation = ++this.#generation;
    const entries: StateEntry[] = [];
    const kept = [...(this.#snapshot?.generations ?? [])];
    if (kept.length >= MAX_GENERATIONS) machine.rewriteUpTo(kept[0]![0]);
    machine.encodeChanges(generation, (entry) => entries.push(entry));
    const live = new Set(machine.liveGenerations());
    this.#snapshot = { nextOffset: machine.nextOffset, chain: machine.chain, generations: new Map([...kept, [generation, entries] as const].filter(([each]) => live.has(each))) };
  }

  /** The process dies: state is gone, the log and the last snapshot stay. Records appended now wait for `restore`. */
  crash(): void {
    this.#machine = null;
    this.#crashed = true;
  }

  /**
   * A new owner: restores the last snapshot and catches up.
   * @throws Error when what it gives differs from the outputs that were given before.
   */
  async restore(): Promise<void> {
    const snapshot = this.#snapshot;
    const given = this.#outputs.length;
    this.#machine = await this.#factory.create({ partition: 0, restored: snapshot === null ? null : { nextOffset: snapshot.nextOffset, chain: snapshot.chain, entries: entriesOf(snapshot) }, failedOffsets: this.#failed });
    this.#crashed = false;
    const skipped = Number((snapshot?.chain ?? "0-0").split("-")[0]);
    const produced = await process(this.#machine, this.#log.slice(snapshot?.nextOffset ?? 0));
    produced.slice(0, given - skipped).forEach((output, i) => {
      const before = this.#outputs[skipped + i]!;
      if (!sameOutput(before, output)) throw new Error(`after a restore output ${skipped + i} differs: ${describe(before)} became ${describe(output)}`);
    });
    this.#outputs.push(...produced.slice(given - skipped));
  }

  async #running(): Promise<StateMachine> {
    if (this.#crashed) throw new Error("the driver has crashed: call restore() first");
    return (this.#machine ??= await this.#factory.create({ partition: 0, restored: null, failedOffsets: this.#failed }));
  }

  /** Everything that was written, in order, as it stands in the topics. */
  get raw(): readonly OutputRecord[] {
    return this.#outputs;
  }

  /** The JSON outputs to one topic, or to all. */
  outputs(topic?: string): DriverOutput[] {
    return this.#outputs.filter((output) => (topic === undefined || output.topic === topic) && output.topic !== topics.deadLetter.name && output.headers[headerNames.contentType] === "application/json").map(({ topic: to, key, value, headers }) => ({ topic: to, key: textOf(key), value: JSON.parse(textOf(value)) as Record<string, unknown>, headers }));
  }

  late(): DriverOutput[] {
    return this.outputs(topics.late.name);
  }

  /** Dead letters: code, the source offset, and the bytes as they came. */
  deadLetters(): { code: string; offset: number; key: string; value: Uint8Array | null }[] {
    return this.#outputs.filter(({ topic }) => topic === topics.deadLetter.name).map(({ key, value, headers }) => ({ code: headers[headerNames.errorCode]!, offset: Number(headers[headerNames.sourceOffset]), key: textOf(key), value }));
  }
}

function* entriesOf(snapshot: Snapshot): Generator<StateEntry & { generation: number }> {
  for (const [generation, entries] of snapshot.generations) for (const entry of entries) yield { ...entry, generation };
}

function textOf(bytes: Uint8Array | string | null): string {
  return bytes === null ? "" : typeof bytes === "string" ? bytes : Buffer.from(bytes).toString("utf8");
}

function sameOutput(a: OutputRecord, b: OutputRecord): boolean {
  return describe(a) === describe(b);
}

function describe({ topic, key, value, headers }: OutputRecord): string {
  return `${topic} ${textOf(key)} ${value === null ? "null" : Buffer.from(value).toString("latin1")} ${JSON.stringify(headers)}`;
}
