import { MillraceError } from "../../../../domain/errors.ts";
import {
  isCommandToken,
  type Attempt,
  type Hold,
  type Progress,
  type Standing,
  type TaskInput,
  type TaskOutput,
} from "../../../../processor/engine/ports.ts";
import type { InputRecord, OutputRecord } from "../../../../processor/runtime/machine.ts";
import type { Kernel, SimulatedProcess } from "./kernel.ts";

interface OpenTransaction {
  readonly outputs: OutputRecord[];
  readonly progress: ProgressEntry[];
  groupOffset?: number;
}
type ProgressEntry = { readonly claim: string; readonly attempt: Attempt | null } | (Progress & { owner: string });

/** One partition of input, and what Kafka has of its task: producer epoch, open transaction, outputs, progress. */
export class SimulatedPartition {
  readonly input: InputRecord[] = [];
  /** First offset that the log still has. */
  earliest = 0;
  /** What a read-committed reader sees. */
  readonly committed: OutputRecord[] = [];
  readonly progress: ProgressEntry[] = [];
  /** The group's offset; null before the first. */
  groupOffset: number | null = null;
  epoch = 0;
  hold: Hold | null = null;
  open: OpenTransaction | null = null;
  readonly #listeners = new Set<() => void>();

  get latest(): number {
    return (this.input.at(-1)?.offset ?? -1) + 1;
  }

  append(record: InputRecord): void {
    this.input.push(record);
    for (const listener of [...this.#listeners]) listener();
  }

  onAppend(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  transaction(epoch: number): OpenTransaction {
    if (epoch !== this.epoch) throw new MillraceError("fenced", `simulated: epoch ${epoch} is behind ${this.epoch}`);
    return (this.open ??= { outputs: [], progress: [] });
  }

  commit(epoch: number): void {
    const { outputs, progress, groupOffset } = this.transaction(epoch);
    this.committed.push(...outputs);
    this.progress.push(...progress);
    if (groupOffset !== undefined) this.groupOffset = groupOffset;
    this.open = null;
  }

  lastProgress(before = this.progress.length): Progress | null {
    const last = this.progress.slice(0, before).findLast((entry) => !("claim" in entry));
    if (!last || "claim" in last) return null;
    const { owner: _owner, ...progress } = last;
    return progress;
  }

  standing(): Standing {
    const isTasks = (token: string): boolean => !isCommandToken(token);
    const newest = this.progress.findLast((entry) => isTasks("claim" in entry ? entry.claim : entry.owner));
    const newestClaim = this.progress.findLast((entry) => "claim" in entry);
    const uncommitted = this.progress.findLast((entry) => !("claim" in entry) || isTasks(entry.claim));
    return {
      hold: this.hold,
      owner: newest ? ("claim" in newest ? newest.claim : newest.owner) : null,
      byCommand: newestClaim !== undefined && isCommandToken(newestClaim.claim),
      uncommitted: uncommitted && "claim" in uncommitted ? { attempt: uncommitted.attempt } : null,
    };
  }
}

/** Transactions on a simulated partition. As with Kafka, a new epoch aborts the transaction of the older one. */
export class SimulatedOutput implements TaskOutput {
  readonly #kernel: Kernel;
  readonly #process: SimulatedProcess;
  readonly #partition: SimulatedPartition;
  #epoch = -1;
  #token = "";

  constructor(kernel: Kernel, process: SimulatedProcess, partition: SimulatedPartition) {
    this.#kernel = kernel;
    this.#process = process;
    this.#partition = partition;
  }

  standing(): Promise<Standing> {
    return this.#call("standing", () => this.#partition.standing());
  }

  async hold(hold: Hold | null): Promise<void> {
    await this.#call("hold", () => (this.#partition.hold = hold));
  }

  async fence(): Promise<void> {
    this.#epoch = await this.#call("fence", () => {
      this.#partition.open = null;
      return ++this.#partition.epoch;
    });
  }

  async claim(token: string, attempt: Attempt | null = null): Promise<Progress | null> {
    this.#token = token;
    const claim = { claim: token, attempt };
    await this.#call("claim:send", () => this.#partition.transaction(this.#epoch).progress.push(claim));
    await this.#call("claim:commit", () => this.#partition.commit(this.#epoch));
    return this.#call("claim:read", () => {
      const at = this.#partition.progress.findIndex((entry) => "claim" in entry && entry.claim === token);
      return this.#partition.lastProgress(at);
    });
  }

  async attempt(attempt: Attempt): Promise<void> {
    const claim = { claim: this.#token, attempt };
    await this.#call("attempt:send", () => this.#partition.transaction(this.#epoch).progress.push(claim));
    await this.#call("attempt:commit", () => this.#partition.commit(this.#epoch));
  }

  async send(outputs: readonly OutputRecord[]): Promise<void> {
    const half = outputs.length >> 1;
    if (half > 0)
      await this.#call("send", () => this.#partition.transaction(this.#epoch).outputs.push(...outputs.slice(0, half)));
    await this.#call("send", () => this.#partition.transaction(this.#epoch).outputs.push(...outputs.slice(half)));
  }

  async commit(progress: Progress, last: readonly OutputRecord[], withGroupOffset = true): Promise<void> {
    await this.#call("commit:send", () => {
      const transaction = this.#partition.transaction(this.#epoch);
      transaction.outputs.push(...last);
      transaction.progress.push({ ...progress, owner: this.#token });
      if (withGroupOffset) transaction.groupOffset = progress.nextOffset;
    });
    await this.#call("commit:end", () => this.#partition.commit(this.#epoch));
  }

  discard(): Promise<void> {
    return Promise.resolve();
  }

  #call<T>(point: string, effect: () => T): Promise<T> {
    return this.#kernel.call(this.#process, point, effect);
  }
}

/** Reads a simulated partition in batches of random size. */
export class SimulatedInput implements TaskInput {
  readonly #kernel: Kernel;
  readonly #process: SimulatedProcess;
  readonly #partition: SimulatedPartition;
  readonly #maxBatch: number;
  #position = 0;
  #wake: (() => void) | null = null;

  constructor(kernel: Kernel, process: SimulatedProcess, partition: SimulatedPartition, maxBatch: number) {
    this.#kernel = kernel;
    this.#process = process;
    this.#partition = partition;
    this.#maxBatch = maxBatch;
  }

  bounds(): Promise<{ earliest: number; latest: number }> {
    return this.#kernel.call(this.#process, "bounds", () => ({
      earliest: this.#partition.earliest,
      latest: this.#partition.latest,
    }));
  }

  seek(offset: number): void {
    this.#position = offset;
  }

  async read(waitMs: number): Promise<readonly InputRecord[]> {
    if (this.#position >= this.#partition.latest && waitMs > 0) await this.#arrival(waitMs);
    if (this.#position >= this.#partition.latest) return [];
    return this.#kernel.call(this.#process, "read", () => {
      if (this.#position < this.#partition.earliest)
        throw new MillraceError("input-lost", `simulated: ${this.#position} is before ${this.#partition.earliest}`);
      const from = this.#partition.input.findIndex((record) => record.offset >= this.#position);
      if (from < 0) return [];
      const records = this.#partition.input.slice(from, from + 1 + Math.floor(this.#kernel.random() * this.#maxBatch));
      this.#position = records.at(-1)!.offset + 1;
      return records;
    });
  }

  #arrival(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        stop();
        if (this.#wake === wake) this.#wake = null;
        this.#kernel.schedule(0, this.#process, resolve);
      };
      const stop = this.#partition.onAppend(wake);
      this.#wake = wake;
      this.#kernel.schedule(waitMs, this.#process, () => this.#wake === wake && wake());
    });
  }

  wake(): void {
    this.#wake?.();
  }

  lag(): number {
    return this.#partition.latest - this.#position;
  }

  close(): void {
    this.wake();
  }
}
