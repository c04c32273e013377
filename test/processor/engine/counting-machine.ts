import { createHash } from "node:crypto";
import {
  type Failures,
  failureId,
  StepFailed,
  type InputRecord,
  type MachineFactory,
  type MachineOrigin,
  type OutputRecord,
  type StateEntry,
  type StateMachine,
} from "../../../processor/runtime/machine.ts";

export const POISON = "poison";
/** A record that gives no output, as a tick. */
export const SILENT = "silent";
/** A record that `settle` takes or refuses, as a model record. */
export const DECIDE = "decide";

/** Topics that the machine of a source topic writes to. */
export function outputTopics(source: string): { counts: string; thirds: string; dead: string } {
  return { counts: `${source}-counts`, thirds: `${source}-thirds`, dead: `${source}-dead` };
}

/** How a version counts: `by` enters the state, `factor` the outputs alone. */
interface Counting {
  readonly factor: number;
  readonly by: number;
}
const versions: Readonly<Record<string, Counting>> = {
  v1: { factor: 1, by: 1 },
  v2: { factor: 10, by: 1 },
  tens: { factor: 1, by: 10 },
};

/**
 * A small machine for tests of the engine: it counts records per key and outputs each count, every third to a second
 * topic too. A value of `poison` makes its code throw; one of `silent` changes nothing. Its state is one item per key.
 */
class CountingMachine implements StateMachine {
  nextOffset = 0;
  chain = "";
  readonly #topic: string;
  readonly #takes: boolean;
  readonly #refused: MachineOrigin["refused"];
  /** The last record, when it waits for `settle`. */
  #undecided: { readonly offset: number; readonly name: string; readonly id: string } | null = null;
  readonly #failures: Failures;
  readonly #factor: number;
  readonly #by: number;
  readonly #counts = new Map<string, { count: number; generation: number; changed: boolean }>();
  #outputs: OutputRecord[] = [];

  constructor(topic: string, { factor, by }: Counting, takes: boolean, { restored, failures, refused }: MachineOrigin) {
    this.#topic = topic;
    this.#takes = takes;
    this.#refused = refused;
    this.#factor = factor;
    this.#by = by;
    this.#failures = failures;
    if (!restored) return;
    this.nextOffset = restored.nextOffset;
    this.chain = restored.chain;
    for (const { key, value, generation } of restored.entries)
      this.#counts.set(key, { count: Number(Buffer.from(value).toString()), generation, changed: false });
  }

  get mustSettle(): boolean {
    return this.#undecided !== null;
  }

  step({ partition, offset, key, value }: InputRecord): void {
    if (offset < this.nextOffset) throw new Error(`offset ${offset} was stepped before`);
    const [name, text] = [Buffer.from(key ?? []).toString(), Buffer.from(value ?? []).toString()];
    const id = `${this.#topic}/${partition}/${offset}/0`;
    if (this.#failures.has(failureId({ offset, key: null })))
      this.#emit(outputTopics(this.#topic).dead, name, id, text);
    else if (text === POISON) throw new StepFailed(offset, new Error("poisoned"));
    else if (text === DECIDE) this.#undecided = { offset, name, id };
    else if (text !== SILENT) this.#count(name, id);
    this.nextOffset = offset + 1;
  }

  #count(name: string, id: string): void {
    const { counts, thirds } = outputTopics(this.#topic);
    const { count: before, generation } = this.#counts.get(name) ?? { count: 0, generation: 0 };
    const count = before + this.#by;
    this.#counts.set(name, { count, generation, changed: true });
    this.#emit(counts, name, id, String(count * this.#factor));
    if (count % 3 === 0) this.#emit(thirds, name, id, String(count * this.#factor));
  }

  #emit(topic: string, key: string, id: string, value: string): void {
    const body = `${id} ${value}`;
    this.chain = createHash("sha1").update(this.chain).update(topic).update(body).digest("hex").slice(0, 12);
    this.#outputs.push({ topic, key, value: Buffer.from(body), headers: {} });
  }

  async settle(): Promise<readonly OutputRecord[]> {
    await Promise.resolve();
    if (this.#undecided) this.#decide(this.#undecided);
    this.#undecided = null;
    const outputs = this.#outputs;
    this.#outputs = [];
    return outputs;
  }

  #decide({ offset, name, id }: { readonly offset: number; readonly name: string; readonly id: string }): void {
    if (this.#takes) return this.#count(name, id);
    this.#refused?.({ offset, key: null, message: "not here" });
    this.#emit(outputTopics(this.#topic).dead, name, id, DECIDE);
  }

  flush(): void {}

  encodeChanges(generation: number, take: (entry: StateEntry) => void): void {
    for (const [key, state] of this.#counts) {
      if (!state.changed) continue;
      state.changed = false;
      state.generation = generation;
      take({ key, value: Buffer.from(String(state.count)) });
    }
  }

  liveGenerations(): number[] {
    return [
      ...new Set([...this.#counts.values()].filter((state) => state.generation > 0).map((state) => state.generation)),
    ].sort((a, b) => a - b);
  }

  rewriteUpTo(generation: number): void {
    for (const state of this.#counts.values()) if (state.generation <= generation) state.changed = true;
  }
}

/**
 * `v1` counts by one; the other fingerprints are other code, which gives other outputs. `takes`: whether this process
 * takes a record that has to be decided.
 */
export function countingMachineFactory(sourceTopic: string, fingerprint = "v1", takes = true): MachineFactory {
  return {
    pipeline: "count",
    sourceTopic,
    log: sourceTopic,
    fingerprint,
    version: fingerprint,
    create: (origin) => new CountingMachine(sourceTopic, versions[fingerprint]!, takes, origin),
  };
}

/** The outputs that a log must have, computed without a machine: lines of `topic key body`, in order. */
export function expectedOutputs(
  sourceTopic: string,
  partition: number,
  log: readonly { readonly offset: number; readonly key: string; readonly value: string }[],
): string[] {
  const { counts, thirds, dead } = outputTopics(sourceTopic);
  return log.flatMap(({ offset, key, value }, at) => {
    const id = `${sourceTopic}/${partition}/${offset}/0`;
    if (value === SILENT) return [];
    if (value === POISON) return [`${dead} ${key} ${id} ${value}`];
    const isCounted = (each: { value: string }): boolean => each.value !== POISON && each.value !== SILENT;
    const count = log.slice(0, at + 1).filter((each) => each.key === key && isCounted(each)).length;
    const lines = [`${counts} ${key} ${id} ${count}`];
    return count % 3 === 0 ? [...lines, `${thirds} ${key} ${id} ${count}`] : lines;
  });
}
