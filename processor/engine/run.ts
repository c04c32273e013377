import { stepAll, StepFailed, type InputRecord, type OutputRecord } from "../runtime/machine.ts";
import type { EngineObserver, Progress, Runtime, TaskPorts } from "./ports.ts";
import type { Replica } from "./replica.ts";
import type { Captured, Snapshots } from "./snapshots.ts";
import type { TaskOptions } from "./task.ts";

/** Outputs of the next transaction that may wait for the one in commit; more holds up the steps. */
const MAX_WAITING_OUTPUTS = 20_000;
/** Longest wait for records when no commit is due. */
const IDLE_WAIT_MS = 1_000;

interface RunParts {
  readonly name: string;
  readonly ports: TaskPorts;
  readonly runtime: Runtime;
  readonly replica: Replica;
  readonly snapshots: Snapshots;
  readonly origin: number;
  readonly fingerprint: string;
  readonly observer: EngineObserver;
  readonly options: TaskOptions;
  /** When this life began. */
  readonly started: number;
}

/**
 * Steps 5 to 7 of a task's life. One loop reads, steps and settles; sends and commits go on beside it:
 *
 *     records ─▶ step, settle ─▶ waiting outputs ─▶ send (open transaction) ─▶ commit with progress
 *                    ▲ goes on while ──────────────────────────────────────────────┘
 *
 * A commit cuts the stream right after a `settle`: the transaction holds the outputs of all records below the cut, and
 * its progress record names the cut. Outputs of later records wait until it is committed.
 */
export class Run {
  readonly #p: RunParts;
  #waiting: OutputRecord[] = [];
  /** The send or commit that is under way; never rejects. */
  #busy: Promise<void> | null = null;
  #committing = false;
  /** Stepped since the last cut. */
  #uncommitted = false;
  #cutAt: number;
  #snapshotAt: number;
  /** What the newest snapshot covers, or where the state began. */
  #snapshotOffset: number;
  #stopping = false;
  #failure: { readonly error: unknown } | null = null;
  #producedFirst = false;

  constructor(parts: RunParts) {
    this.#p = parts;
    const now = parts.runtime.now();
    this.#cutAt = now;
    this.#snapshotAt = now + parts.options.snapshotIntervalMs;
    this.#snapshotOffset = parts.snapshots.manifest.covers?.nextOffset ?? parts.origin;
  }

  /** Makes `loop` return. */
  stop(): void {
    this.#stopping = true;
    this.#p.ports.input.wake();
  }

  /** Takes the next snapshot with the next commit. */
  snapshotSoon(): void {
    this.#snapshotAt = this.#p.runtime.now();
  }

  /** Step 5, until `stop` is called. Rejects with what made a send, a commit or a step fail. */
  async loop(): Promise<void> {
    const { ports, runtime, replica, observer, options, name } = this.#p;
    observer.running?.(name, replica.machine);
    while (!this.#stopping) {
      const records = await ports.input.read(this.#waitMs());
      this.#throwFailure();
      if (records.length > 0) {
        await this.#step(records);
        this.#throwFailure();
      }
      if (this.#uncommitted && !this.#committing && runtime.now() - this.#cutAt >= options.commitIntervalMs)
        this.#cut();
      else this.#pump();
      while (this.#waiting.length > MAX_WAITING_OUTPUTS && this.#busy) {
        await this.#busy;
        this.#throwFailure();
      }
    }
  }

  async #step(records: readonly InputRecord[]): Promise<void> {
    const { replica, observer, name, fingerprint } = this.#p;
    const { machine } = replica;
    const settled = { nextOffset: machine.nextOffset, chain: machine.chain, fingerprint };
    let outputs: readonly OutputRecord[];
    try {
      outputs = await stepAll(machine, records);
    } catch (error) {
      if (!(error instanceof StepFailed)) throw error;
      // The machine is spoilt. Build it again as it was after the last settle; the records come again from there.
      // What the old machine encoded must be in the manifest first: the new one relies on the generations it loads.
      replica.note(error);
      await this.#quiet();
      await this.#p.snapshots.flushed();
      await replica.build(settled.nextOffset > this.#p.origin ? settled : null);
      if (!this.#stopping) observer.running?.(name, replica.machine);
      this.snapshotSoon(); // the next failure shall cost less
      return;
    }
    this.#uncommitted = true;
    for (const output of outputs) this.#waiting.push(output);
    observer.stepped(name, records.length, outputs);
  }

  /** Step 7: commits what was stepped, writes a last snapshot, as far as time allows. */
  async handOver(): Promise<void> {
    const { runtime, snapshots, observer, options, name } = this.#p;
    const work = (async (): Promise<void> => {
      await this.#quiet();
      if (this.#p.replica.machine.nextOffset > this.#snapshotOffset) {
        this.#snapshotAt = runtime.now();
        this.#cut(true);
      }
      await this.#quiet();
      await snapshots.flushed();
    })();
    const late = Symbol("late");
    const first = await Promise.race([work, runtime.sleep(options.handOverMs).then(() => late)]);
    if (first === late) {
      work.catch(() => undefined);
      observer.log(
        "warn",
        { task: name, ms: options.handOverMs },
        "the hand-over took too long and was cut off; the next owner catches up",
      );
    }
  }

  /** Waits until no send or commit is under way. */
  async #quiet(): Promise<void> {
    for (let busy = this.#busy; busy; busy = this.#busy) await busy;
    this.#throwFailure();
  }

  /** How long the next read may wait: until a commit is due, if there is something to commit. */
  #waitMs(): number {
    if (!this.#uncommitted || this.#committing) return IDLE_WAIT_MS; // the end of a commit wakes the read
    return Math.max(0, this.#cutAt + this.#p.options.commitIntervalMs - this.#p.runtime.now());
  }

  /** Sends what waits, inside the open transaction, unless a send or commit is under way. */
  #pump(): void {
    if (this.#busy || this.#failure || this.#waiting.length === 0) return;
    const outputs = this.#take();
    this.#do(async () => {
      await this.#p.ports.output.send(outputs);
      this.#noteFirst(outputs);
    });
  }

  /** Ends the transaction at what has been stepped and settled so far. */
  #cut(force = false): void {
    const { ports, runtime, replica, snapshots, options, origin, fingerprint, name, observer } = this.#p;
    const { machine } = replica;
    if (!this.#uncommitted && !force) return;
    const progress: Progress = {
      nextOffset: machine.nextOffset,
      origin,
      fingerprint,
      chain: machine.chain,
      failed: replica.failed(),
    };
    // 6. The state at the transaction's last record, encoded before any later step.
    const now = runtime.now();
    let captured: Captured | null = null;
    if (now >= this.#snapshotAt && (force || snapshots.idle)) {
      captured = snapshots.capture(machine);
      this.#snapshotAt = now + options.snapshotIntervalMs;
      this.#snapshotOffset = progress.nextOffset;
    }
    const last = this.#take();
    this.#uncommitted = false;
    this.#committing = true;
    this.#cutAt = now;
    const sending = this.#busy;
    this.#do(async () => {
      await sending;
      if (this.#failure) return;
      const begun = runtime.now();
      await ports.output.commit(progress, last);
      this.#committing = false;
      this.#noteFirst(last);
      observer.committed(name, {
        nextOffset: progress.nextOffset,
        latencyMs: runtime.now() - begun,
        lag: ports.input.lag(),
      });
      // 6. The transaction is known to be committed: the snapshot may be written.
      if (captured) snapshots.write(captured, progress).catch((error: unknown) => this.#fail(error));
    });
  }

  #take(): OutputRecord[] {
    const outputs = this.#waiting;
    this.#waiting = [];
    return outputs;
  }

  /** Runs a send or commit beside the loop, then wakes the loop. */
  #do(work: () => Promise<void>): void {
    const busy: Promise<void> = work()
      .catch((error: unknown) => this.#fail(error))
      .then(() => {
        if (this.#busy === busy) this.#busy = null;
        if (!this.#committing) this.#pump();
        this.#p.ports.input.wake();
      });
    this.#busy = busy;
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#p.ports.input.wake();
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.error;
  }

  #noteFirst(outputs: readonly OutputRecord[]): void {
    if (this.#producedFirst || outputs.length === 0) return;
    this.#producedFirst = true;
    this.#p.observer.recovered(this.#p.name, this.#p.runtime.now() - this.#p.started);
  }
}
