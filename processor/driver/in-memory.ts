import { MillraceError } from "../../domain/errors.ts";
import {
  stepAll,
  type InputRecord,
  type MachineFactory,
  type OutputRecord,
  type StateEntry,
  type StateMachine,
  type Failure,
  failureId,
  StepFailed,
} from "../runtime/machine.ts";
import type { DriverBackend, WrittenRecord } from "./backend.ts";

interface Snapshot {
  readonly nextOffset: number;
  readonly chain: string;
  /** Number of outputs that came before it. */
  readonly given: number;
  /** Entries by generation, ascending. */
  readonly generations: ReadonlyMap<number, readonly StateEntry[]>;
}

/** Most generations of a snapshot. Above it the oldest is written again. */
const MAX_GENERATIONS = 8;

/** The engine's rules without servers: log, topics and snapshot are in memory. Commits whatever it has processed. */
export class InMemoryBackend implements DriverBackend {
  readonly #factory: MachineFactory;
  readonly #log: InputRecord[] = [];
  /** Messages of the records on which the pipeline's code threw, by offset. */
  readonly #failures = new Map<string, Failure>();
  /** What readers see, in the order of production. */
  readonly #outputs: OutputRecord[] = [];
  /** Number of outputs that `settle` or `flush` has returned. */
  #seen = 0;
  #snapshot: Snapshot | null = null;
  #generation = 0;
  #owner: Owner | null = null;
  #crashes = 0;

  constructor(factory: MachineFactory) {
    this.#factory = factory;
  }

  append(records: readonly InputRecord[]): Promise<void> {
    for (const record of records) this.#log.push(record);
    return Promise.resolve();
  }

  async settle(): Promise<readonly WrittenRecord[]> {
    await this.#settled();
    return this.#takeNew();
  }

  /** The owner, at the end of the log. Null when a crash came first. */
  async #settled(): Promise<Owner | null> {
    const crashes = this.#crashes;
    while (crashes === this.#crashes && !(await this.#catchUp(crashes)));
    return this.#owner;
  }

  /** False when the pipeline's code threw on a record: the next attempt makes a dead letter of it. */
  async #catchUp(crashes: number): Promise<boolean> {
    try {
      const owner = this.#owner ?? (await this.#restore());
      if (crashes !== this.#crashes) return true;
      this.#owner = owner;
      const produced = await stepAll(owner.machine, this.#log.slice(owner.machine.nextOffset));
      if (crashes === this.#crashes) this.#write(owner, produced);
      return true;
    } catch (error) {
      this.#owner = null;
      if (!(error instanceof StepFailed)) throw error;
      const { offset, key, message } = error;
      if (this.#failures.has(failureId(error)))
        throw new MillraceError(
          "step-failed-again",
          `the record at offset ${offset} fails even as a dead letter: ${message}`,
          { cause: error },
        );
      this.#failures.set(failureId(error), { offset, key, message });
      return false;
    }
  }

  async #restore(): Promise<Owner> {
    const restored = this.#snapshot && {
      nextOffset: this.#snapshot.nextOffset,
      chain: this.#snapshot.chain,
      entries: entriesOf(this.#snapshot),
    };
    return {
      machine: await this.#factory.create({
        partition: 0,
        restored,
        failures: this.#failures,
        refused: (failure) => void this.#failures.set(failureId(failure), failure),
      }),
      given: this.#snapshot?.given ?? 0,
    };
  }

  /** Drops outputs that were there before, after comparing them. @throws MillraceError `replay-diverged` */
  #write(owner: Owner, produced: readonly OutputRecord[]): void {
    for (const output of produced) {
      const before = this.#outputs[owner.given];
      if (before && describe(before) !== describe(output))
        throw diverged(owner.given, describe(before), describe(output));
      if (!before) this.#outputs.push(output);
      owner.given++;
    }
    const missing = this.#outputs[owner.given];
    if (missing) throw diverged(owner.given, describe(missing), "none");
  }

  #takeNew(): OutputRecord[] {
    const taken = this.#outputs.slice(this.#seen);
    this.#seen = this.#outputs.length;
    return taken;
  }

  /** Keeps what changed since the last snapshot, and drops generations that hold no item's newest encoding. */
  async snapshot(): Promise<void> {
    const owner = await this.#settled();
    if (!owner) return;
    const { machine, given } = owner;
    const generation = ++this.#generation;
    const entries: StateEntry[] = [];
    const kept = [...(this.#snapshot?.generations ?? [])];
    if (kept.length >= MAX_GENERATIONS) machine.rewriteUpTo(kept[0]![0]);
    machine.encodeChanges(generation, (entry) => entries.push(entry));
    const live = new Set(machine.liveGenerations());
    this.#snapshot = {
      nextOffset: machine.nextOffset,
      chain: machine.chain,
      given,
      generations: new Map([...kept, [generation, entries] as const].filter(([each]) => live.has(each))),
    };
  }

  async flush(): Promise<readonly WrittenRecord[]> {
    const owner = await this.#settled();
    owner?.machine.flush();
    this.#outputs.push(...((await owner?.machine.settle()) ?? []));
    return this.#takeNew();
  }

  crash(): void {
    this.#crashes++;
    this.#owner = null;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

interface Owner {
  readonly machine: StateMachine;
  /** Number of outputs that the machine has given, including those before its snapshot. */
  given: number;
}

function entriesOf(snapshot: Snapshot): (StateEntry & { generation: number })[] {
  return [...snapshot.generations].flatMap(([generation, entries]) =>
    entries.map((entry) => ({ ...entry, generation })),
  );
}

function diverged(index: number, before: string, now: string): MillraceError {
  return new MillraceError("replay-diverged", `after a restore output ${index} differs: ${before} became ${now}`);
}

function describe({ topic, key, value, headers }: OutputRecord): string {
  return JSON.stringify([topic, textOf(key), textOf(value), headers]);
}

function textOf(bytes: Uint8Array | string | null): string | null {
  return bytes === null || typeof bytes === "string" ? bytes : Buffer.from(bytes).toString("latin1");
}
