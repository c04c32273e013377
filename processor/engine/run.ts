import { controlVersions } from "../../domain/controls.ts";
import { StepFailed, type InputRecord, type OutputRecord } from "../runtime/machine.ts";
import type { CommitBudget } from "./commit-budget.ts";
import { failureClass } from "./failure-classes.ts";
import type { EngineObserver, Progress, Runtime, TaskPorts } from "./ports.ts";
import type { Replica } from "./replica.ts";
import type { Captured, Snapshots } from "./snapshots.ts";
import { stepSome } from "./step-some.ts";
import type { Suspects, Turns } from "./suspects.ts";
import { mostBetweenCommitsMs, type TaskOptions } from "./task-options.ts";
import type { WaitingOutputs } from "./waiting-outputs.ts";

/** Longest wait for records when no commit is due. */
const IDLE_WAIT_MS = 1_000;
/** Outputs are committed so long after their step, whatever the budget of the process: readers wait for them. */
const MOST_OPEN_MS = 1_000;
/**
 * How far behind the group's offset may be, in time and in records. It costs two requests and three writes of a broker
 * in each transaction, and only lag tools read it. Ten tasks so far behind stay below the lag that health calls late.
 */
const GROUP_OFFSET = { ms: 5_000, records: 500 } as const;

interface RunParts {
  readonly task: string;
  readonly ports: TaskPorts;
  readonly runtime: Runtime;
  readonly replica: Replica;
  readonly snapshots: Snapshots;
  readonly origin: number;
  readonly fingerprint: string;
  readonly version: string;
  /** See `Progress`. */
  readonly before: string | undefined;
  readonly observer: EngineObserver;
  readonly options: TaskOptions;
  readonly waiting: WaitingOutputs;
  /** Records on which the process may have died; null when there are none. */
  readonly suspects: Suspects | null;
  /** Turns of the process's tasks at stepping suspects. */
  readonly turns: Turns;
  /** Spreads the commits of the process's tasks. */
  readonly budget: CommitBudget;
  /** Called when a commit has moved the task's progress. */
  onProgress(nextOffset: number): void;
  /** When this life began, by the runtime's clock. */
  readonly started: number;
}

/** What a commit writes, see `TaskOutput.commit`. */
interface Cut {
  readonly progress: Progress;
  readonly last: readonly OutputRecord[];
  readonly withGroupOffset: boolean;
  /** See `EngineObserver.committed`. */
  readonly first: InputRecord | undefined;
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
  /** The send or commit that is under way. Never rejects. */
  #busy: Promise<void> | null = null;
  #committing = false;
  /** When the next cut is due; null while there is nothing to commit. */
  #dueAt: number | null;
  /** When the step began that gave the first output since the last cut; null when none did. */
  #openSince: number | null = null;
  /** The first record of that step; undefined when none gave an output. */
  #first: InputRecord | undefined;
  /** Time of the last cut, or of the life's begin. */
  #cutAt: number;
  /** The last cut that gave the group its offset; null before the first cut. */
  #groupOffset: { readonly at: number; readonly offset: number } | null = null;
  /** Time from which a cut takes a snapshot. */
  #snapshotAt: number;
  /** Offset that the newest snapshot covers, or at which the state began. */
  #snapshotOffset: number;
  #stopping = false;
  #failure: { readonly error: unknown } | null = null;
  #hasReportedOutput = false;
  /** Offset of the newest progress that this life knows to be committed. */
  #committedOffset: number;
  /** Progress at the last settle, while a step is under way. */
  #settled: Progress | null = null;

  constructor(parts: RunParts) {
    this.#parts = parts;
    const now = parts.runtime.now();
    this.#cutAt = now;
    this.#snapshotAt = now + parts.options.snapshotIntervalMs;
    this.#snapshotOffset = parts.snapshots.manifest.covers?.nextOffset ?? parts.origin;
    this.#committedOffset = parts.replica.machine.nextOffset;
    // The life before may have committed more than it has given the group.
    this.#dueAt = this.#committedOffset > parts.origin ? now + parts.options.progressIntervalMs : null;
  }

  /** Makes `loop` return, when its read does. */
  stop(): void {
    this.#stopping = true;
  }

  /** The life has ended: what is not sent yet is not sent any more, also by a hand-over that was cut off. */
  abandon(): void {
    this.#fail(new Error(`${this.#parts.task}: the life has ended`));
    this.#parts.waiting.close();
  }

  /** Makes the next commit take a snapshot. */
  snapshotSoon(): void {
    this.#snapshotAt = this.#parts.runtime.now();
  }

  /**
   * Step 5, until `stop` is called. Rejects with the error of a send, a commit or a step. Before it rejects with a
   * named error of a step or a read, it commits what was settled before.
   */
  async loop(): Promise<void> {
    const { task, ports, replica, observer } = this.#parts;
    observer.running?.(task, replica.machine);
    while (!this.#stopping) {
      let records = await this.#commitBeforeNamed(() => ports.input.read(this.#waitMs()));
      observer.lag?.(task, ports.input.lag());
      this.#throwFailure();
      while (records.length > 0 && !this.#stopping) {
        const rest = records;
        records = await this.#commitBeforeNamed(() =>
          this.#parts.suspects?.isDone === false ? this.#stepSuspects(rest) : this.#step(rest),
        );
        // A batch is cut when a commit is due: it waits for the one before, instead of for more steps.
        if (records.length > 0 && this.#committing) await this.#busy;
        this.#throwFailure();
        this.#sendOrCut();
        await this.#waitForRoom();
      }
      this.#sendOrCut();
    }
  }

  /** Steps records until the next commit is due. @returns Those that are left. */
  async #step(records: readonly InputRecord[]): Promise<readonly InputRecord[]> {
    const { task, replica, runtime, observer, options, waiting } = this.#parts;
    const { machine } = replica;
    const settled = this.#progress();
    this.#settled = settled;
    const begun = runtime.now();
    const openSince = this.#openSince ?? begun;
    const isCutDue = (): boolean => runtime.now() - openSince >= mostBetweenCommitsMs(options);
    try {
      const { outputs, stepped, decided } = await stepSome(machine, records, isCutDue);
      this.#settled = null;
      this.#commitSoon(begun, outputs.length > 0);
      if (outputs.length > 0) this.#first ??= records[0];
      waiting.add(outputs);
      observer.stepped(task, stepped, outputs);
      if (decided) await this.#commitDecision();
      return records.slice(stepped);
    } catch (error) {
      if (!(error instanceof StepFailed)) throw error;
      await this.#rebuild(error, settled);
      return []; // they come again
    }
  }

  /**
   * Records were stepped: sets when they are committed. The first commit of a life does not wait, even without outputs:
   * it shows that the process does not die of its records.
   */
  #commitSoon(begun: number, withOutputs: boolean): void {
    const { options, budget } = this.#parts;
    if (this.#openSince !== null) return;
    if (withOutputs || this.#groupOffset === null) {
      this.#openSince = begun;
      const mostMs = mostBetweenCommitsMs(options);
      const earliest = this.#cutAt + Math.min(options.commitIntervalMs, mostMs);
      this.#dueAt = budget.take(earliest, begun + Math.min(MOST_OPEN_MS, mostMs));
    } else this.#dueAt ??= this.#cutAt + options.progressIntervalMs;
  }

  /** Commits what was decided before an output of a later record is sent: another owner must not decide otherwise. */
  async #commitDecision(): Promise<void> {
    await this.#idle();
    this.#cut();
    await this.#idle();
  }

  /** Steps what the process may die of: says so in the log before, and commits at once. */
  async #stepSuspects(records: readonly InputRecord[]): Promise<readonly InputRecord[]> {
    const { ports, turns, replica } = this.#parts;
    const suspects = this.#parts.suspects!;
    const endTurn = await turns.take();
    try {
      if (this.#stopping) return [];
      await this.#idle();
      const { attempt, count } = suspects.next(records.map(({ offset }) => offset));
      await ports.output.attempt(attempt);
      let rest: readonly InputRecord[] = records.slice(0, count);
      while (rest.length > 0) rest = await this.#step(rest);
      this.#cut();
      await this.#idle();
      suspects.passed(replica.machine.nextOffset, ports.input.lag());
      return replica.machine.nextOffset >= attempt.to ? records.slice(count) : [];
    } finally {
      endTurn();
    }
  }

  /** Waits while the outputs that wait are too many: no record is stepped meanwhile. */
  async #waitForRoom(): Promise<void> {
    const { task, waiting, observer } = this.#parts;
    observer.waiting?.(task, { outputs: waiting.count, bytes: waiting.bytes, paused: waiting.isFull });
    while (waiting.isFull) {
      this.#sendWaiting();
      await this.#busy;
      this.#throwFailure();
    }
  }

  #sendOrCut(): void {
    // As `#waitMs` has it, to the last bit: otherwise a read that waits for nothing could come again and again.
    const isDue = this.#dueAt !== null && this.#dueAt - this.#parts.runtime.now() <= 0;
    if (isDue && !this.#committing) this.#cut();
    else this.#sendWaiting();
  }

  /** Before a task stops with a named error, commits what was settled. That also shows that it is still the owner. */
  async #commitBeforeNamed<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (failureClass(error) !== "partition" || this.#failure) throw error;
      const settled = this.#settled ?? this.#progress();
      await this.#idle();
      this.#snapshotAt = Infinity; // the machine may be in the middle of a step
      this.#cut(true, settled);
      await this.#idle();
      throw error;
    }
  }

  /**
   * The machine can't be used after a failed step: builds it again as it was after the last settle. The records come
   * again from there. A snapshot that is not written yet is given up: the new machine knows only generations that it
   * loads, and no commit waits for that write.
   */
  async #rebuild(error: StepFailed, settled: Progress): Promise<void> {
    const { task, replica, snapshots, observer, origin } = this.#parts;
    replica.recordFailure(error);
    await this.#idle();
    snapshots.giveUp();
    await replica.build(settled.nextOffset > origin ? settled : null);
    this.#settled = null;
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
    if (this.#dueAt === null || this.#committing) return IDLE_WAIT_MS; // the end of a commit wakes the read
    return Math.min(IDLE_WAIT_MS, Math.max(0, this.#dueAt - this.#parts.runtime.now()));
  }

  /** Sends the waiting outputs inside the open transaction, unless a send or commit is under way. */
  #sendWaiting(): void {
    const { waiting, ports } = this.#parts;
    if (this.#busy || this.#failure || waiting.isEmpty) return;
    const { outputs, sent } = waiting.take();
    this.#runBeside(async () => {
      await ports.output.send(outputs);
      sent();
      this.#reportFirst(outputs);
    });
  }

  /** Ends the transaction at the last settled record. `force`: even if none was stepped since the last cut. */
  #cut(force = false, progress = this.#progress()): void {
    const { runtime, waiting, options } = this.#parts;
    if (this.#failure || (this.#dueAt === null && !force)) return;
    const now = runtime.now();
    // 6. The state at the transaction's last record, encoded before any later step.
    const captured = this.#captureIfDue(now, progress.nextOffset, force);
    const { outputs: last, sent } = waiting.take();
    const withGroupOffset = force || this.#openSince === null || this.#isGroupBehind(now, progress.nextOffset);
    if (withGroupOffset) this.#groupOffset = { at: now, offset: progress.nextOffset };
    // The offset that the group does not get now, it gets by the next commit without outputs.
    this.#dueAt = withGroupOffset ? null : now + options.progressIntervalMs;
    this.#openSince = null;
    this.#committing = true;
    const first = this.#first;
    this.#first = undefined;
    const intervalMs = now - this.#cutAt;
    this.#cutAt = now;
    const sending = this.#busy;
    this.#runBeside(async () => {
      await sending;
      if (!this.#failure) await this.#commit({ progress, last, withGroupOffset, first }, captured, intervalMs);
      sent();
    });
  }

  #isGroupBehind(now: number, nextOffset: number): boolean {
    const { at, offset } = this.#groupOffset ?? { at: -Infinity, offset: 0 };
    return now - at >= GROUP_OFFSET.ms || nextOffset - offset >= GROUP_OFFSET.records;
  }

  #progress(): Progress {
    const { replica, origin, fingerprint, version, before } = this.#parts;
    const { nextOffset, chain } = replica.machine;
    return {
      nextOffset,
      origin,
      fingerprint,
      version,
      chain,
      controls: controlVersions,
      ...(before === undefined ? {} : { before }),
      failed: replica.failed(),
    };
  }

  #captureIfDue(now: number, nextOffset: number, force: boolean): Captured | null {
    const { replica, snapshots, options } = this.#parts;
    if (now < this.#snapshotAt || !(force || snapshots.idle)) return null;
    const captured = snapshots.capture(replica.machine);
    this.#snapshotAt = now + options.snapshotIntervalMs;
    this.#snapshotOffset = nextOffset;
    return captured;
  }

  async #commit(
    { progress, last, withGroupOffset, first }: Cut,
    captured: Captured | null,
    intervalMs: number,
  ): Promise<void> {
    const { task, ports, runtime, snapshots, observer } = this.#parts;
    const begun = runtime.now();
    await ports.output.commit(progress, last, withGroupOffset);
    this.#committing = false;
    if (progress.nextOffset > this.#committedOffset) this.#parts.onProgress(progress.nextOffset);
    this.#committedOffset = progress.nextOffset;
    this.#reportFirst(last);
    observer.committed(task, {
      nextOffset: progress.nextOffset,
      latencyMs: runtime.now() - begun,
      lag: ports.input.lag(),
      intervalMs,
      first,
    });
    // 6. The transaction is known to be committed: the snapshot may be written.
    if (captured) snapshots.write(captured, progress).catch((error: unknown) => this.#fail(error));
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
