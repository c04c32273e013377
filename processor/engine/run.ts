import { stepAll, StepFailed, type InputRecord, type OutputRecord } from "../runtime/machine.ts";
import type { EngineObserver, Progress, Runtime, TaskPorts } from "./ports.ts";
import type { Replica } from "./replica.ts";
import type { Captured, Snapshots } from "./snapshots.ts";
import type { TaskOptions } from "./task-options.ts";

/** Outputs that may wait for the transaction in commit to end. Above this, no more records are stepped. */
const MAX_WAITING_OUTPUTS = 20_000;
/** Longest wait for records when no commit is due. */
const IDLE_WAIT_MS = 1_000;

interface RunParts {
  readonly task: string;
  readonly ports: TaskPorts;
  readonly runtime: Runtime;
  readonly replica: Replica;
  readonly snapshots: Snapshots;
  readonly origin: number;
  readonly fingerprint: string;
  readonly observer: EngineObserver;
  readonly options: TaskOptions;
  /** When this life began, by the runtime's clock. */
  readonly started: number;
}

/**
 * Steps 5 to 7 of a task's life. One loop reads, steps and settles. Sends and commits run beside it:
 *
 *     records ─▶ step, settle ─▶ waiting outputs ─▶ send (open transaction) ─▶ commit with progress
 *                    ▲ continues meanwhile ────────────────────────────────────────┘
 *
 * A commit cuts the stream right after a `settle`: the transaction holds the outputs of all records below the cut, and
 * its progress record names the cut. Outputs of later records wait until it is committed.
 */
export class Run {
  readonly #parts: RunParts;
  /** Outputs that are not sent yet. */
  #waiting: OutputRecord[] = [];
  /** The send or commit that is under way. Never rejects. */
  #busy: Promise<void> | null = null;
  #committing = false;
  /** Whether records were stepped since the last cut. */
  #uncommitted = false;
  /** Time of the last cut. */
  #cutAt: number;
  /** Time from which a cut takes a snapshot. */
  #snapshotAt: number;
  /** Offset that the newest snapshot covers, or at which the state began. */
  #snapshotOffset: number;
  #stopping = false;
  #failure: { readonly error: unknown } | null = null;
  #hasReportedOutput = false;

  constructor(parts: RunParts) {
    this.#parts = parts;
    const now = parts.runtime.now();
    this.#cutAt = now;
    this.#snapshotAt = now + parts.options.snapshotIntervalMs;
    this.#snapshotOffset = parts.snapshots.manifest.covers?.nextOffset ?? parts.origin;
  }

  /** Makes `loop` return. */
  stop(): void {
    this.#stopping = true;
    this.#parts.ports.input.wake();
  }

  /** Makes the next commit take a snapshot. */
  snapshotSoon(): void {
    this.#snapshotAt = this.#parts.runtime.now();
  }

  /** Step 5, until `stop` is called. Rejects with the error of a send, a commit or a step. */
  async loop(): Promise<void> {
    const { task, ports, runtime, replica, observer, options } = this.#parts;
    observer.running?.(task, replica.machine);
    while (!this.#stopping) {
      const records = await ports.input.read(this.#waitMs());
      this.#throwFailure();
      if (records.length > 0) {
        await this.#step(records);
        this.#throwFailure();
      }
      const isDue = runtime.now() - this.#cutAt >= options.commitIntervalMs;
      if (this.#uncommitted && !this.#committing && isDue) this.#cut();
      else this.#sendWaiting();
      while (this.#waiting.length > MAX_WAITING_OUTPUTS && this.#busy) {
        await this.#busy;
        this.#throwFailure();
      }
    }
  }

  async #step(records: readonly InputRecord[]): Promise<void> {
    const { task, replica, observer, fingerprint } = this.#parts;
    const { machine } = replica;
    const settled = { nextOffset: machine.nextOffset, chain: machine.chain, fingerprint };
    let outputs: readonly OutputRecord[];
    try {
      outputs = await stepAll(machine, records);
    } catch (error) {
      if (!(error instanceof StepFailed)) throw error;
      return this.#rebuild(error, settled);
    }
    this.#uncommitted = true;
    for (const output of outputs) this.#waiting.push(output);
    observer.stepped(task, records.length, outputs);
  }

  /**
   * The machine can't be used after a failed step: builds it again as it was after the last settle. The records come
   * again from there.
   */
  async #rebuild(error: StepFailed, settled: Pick<Progress, "nextOffset" | "chain" | "fingerprint">): Promise<void> {
    const { task, replica, snapshots, observer, origin } = this.#parts;
    replica.recordFailure(error);
    await this.#idle();
    // What the old machine encoded must be in the manifest first: the new machine knows only generations that it loads.
    await snapshots.flushed();
    await replica.build(settled.nextOffset > origin ? settled : null);
    if (!this.#stopping) observer.running?.(task, replica.machine);
    this.snapshotSoon(); // the next failure then has less to build again
  }

  /** Step 7: commits what was stepped and writes a last snapshot, within `handOverMs`. */
  async handOver(): Promise<void> {
    const { task, runtime, observer, options } = this.#parts;
    const work = this.#commitAndSnapshot();
    const late = Symbol("late");
    const first = await Promise.race([work, runtime.sleep(options.handOverMs).then(() => late)]);
    if (first !== late) return;
    work.catch(() => undefined);
    observer.log(
      "warn",
      { task, ms: options.handOverMs },
      "the hand-over took too long and was cut off; the next owner catches up",
    );
  }

  async #commitAndSnapshot(): Promise<void> {
    const { replica, runtime, snapshots } = this.#parts;
    await this.#idle();
    if (replica.machine.nextOffset > this.#snapshotOffset) {
      this.#snapshotAt = runtime.now();
      this.#cut(true);
    }
    await this.#idle();
    await snapshots.flushed();
  }

  /** Waits until no send or commit is under way. */
  async #idle(): Promise<void> {
    for (let busy = this.#busy; busy; busy = this.#busy) await busy;
    this.#throwFailure();
  }

  /** How long the next read may wait: until a commit is due, if there is something to commit. */
  #waitMs(): number {
    if (!this.#uncommitted || this.#committing) return IDLE_WAIT_MS; // the end of a commit wakes the read
    return Math.max(0, this.#cutAt + this.#parts.options.commitIntervalMs - this.#parts.runtime.now());
  }

  /** Sends the waiting outputs inside the open transaction, unless a send or commit is under way. */
  #sendWaiting(): void {
    if (this.#busy || this.#failure || this.#waiting.length === 0) return;
    const outputs = this.#takeWaiting();
    this.#runBeside(async () => {
      await this.#parts.ports.output.send(outputs);
      this.#reportFirst(outputs);
    });
  }

  /** Ends the transaction at the last settled record. `force`: even if none was stepped since the last cut. */
  #cut(force = false): void {
    const { runtime } = this.#parts;
    if (!this.#uncommitted && !force) return;
    const progress = this.#progress();
    const now = runtime.now();
    // 6. The state at the transaction's last record, encoded before any later step.
    const captured = this.#captureIfDue(now, progress.nextOffset, force);
    const last = this.#takeWaiting();
    this.#uncommitted = false;
    this.#committing = true;
    this.#cutAt = now;
    const sending = this.#busy;
    this.#runBeside(async () => {
      await sending;
      if (!this.#failure) await this.#commit(progress, last, captured);
    });
  }

  #progress(): Progress {
    const { replica, origin, fingerprint } = this.#parts;
    const { nextOffset, chain } = replica.machine;
    return { nextOffset, origin, fingerprint, chain, failed: replica.failed() };
  }

  #captureIfDue(now: number, nextOffset: number, force: boolean): Captured | null {
    const { replica, snapshots, options } = this.#parts;
    if (now < this.#snapshotAt || !(force || snapshots.idle)) return null;
    const captured = snapshots.capture(replica.machine);
    this.#snapshotAt = now + options.snapshotIntervalMs;
    this.#snapshotOffset = nextOffset;
    return captured;
  }

  async #commit(progress: Progress, last: readonly OutputRecord[], captured: Captured | null): Promise<void> {
    const { task, ports, runtime, snapshots, observer } = this.#parts;
    const begun = runtime.now();
    await ports.output.commit(progress, last);
    this.#committing = false;
    this.#reportFirst(last);
    observer.committed(task, {
      nextOffset: progress.nextOffset,
      latencyMs: runtime.now() - begun,
      lag: ports.input.lag(),
    });
    // 6. The transaction is known to be committed: the snapshot may be written.
    if (captured) snapshots.write(captured, progress).catch((error: unknown) => this.#fail(error));
  }

  #takeWaiting(): OutputRecord[] {
    const outputs = this.#waiting;
    this.#waiting = [];
    return outputs;
  }

  /** Runs a send or commit beside the loop, then wakes the loop. */
  #runBeside(work: () => Promise<void>): void {
    const busy: Promise<void> = work()
      .catch((error: unknown) => this.#fail(error))
      .then(() => {
        if (this.#busy === busy) this.#busy = null;
        if (!this.#committing) this.#sendWaiting();
        this.#parts.ports.input.wake();
      });
    this.#busy = busy;
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#parts.ports.input.wake();
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.error;
  }

  #reportFirst(outputs: readonly OutputRecord[]): void {
    if (this.#hasReportedOutput || outputs.length === 0) return;
    this.#hasReportedOutput = true;
    this.#parts.observer.recovered(this.#parts.task, this.#parts.runtime.now() - this.#parts.started);
  }
}
