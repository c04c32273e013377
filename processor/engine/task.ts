import { MillraceError } from "../../domain/errors.ts";
import { PARTITION_STOPPED, taskKey } from "../../domain/names.ts";
import { MINUTE, type Milliseconds } from "../../domain/time.ts";
import { type Failure, failureId, type MachineFactory } from "../runtime/machine.ts";
import type { CommitBudget } from "./commit-budget.ts";
import { failureClass } from "./failure-classes.ts";
import { needsRecovery } from "./needs-recovery.ts";
import type { Attempt, EngineObserver, Hold, Runtime, Standing, TaskInput, TaskOutput, TaskPorts } from "./ports.ts";
import { Replica } from "./replica.ts";
import { Run } from "./run.ts";
import { Snapshots } from "./snapshots.ts";
import { startingPoint, type StartingPoint } from "./starting-point.ts";
import { Suspects, type Turns } from "./suspects.ts";
import type { TaskOptions } from "./task-options.ts";
import { WaitingOutputs, type ProcessOutputs } from "./waiting-outputs.ts";

/** A task that has begun again and again for so long without a commit counts as one that can't run. */
export const FAILING_MS: Milliseconds = MINUTE;
/** How often a task looks whether a command still holds it. */
const HOLD_POLL_MS = 1_000;

/** Tokens of lives that a task remembers. */
const MAX_TOKENS = 1_000;

/** What all tasks of a process share. */
export interface TaskContext {
  readonly factory: MachineFactory;
  readonly options: TaskOptions;
  readonly observer: EngineObserver;
  readonly runtime: Runtime;
  /** Gives fresh ports. Called at the beginning of each life of a task. */
  openPorts(partition: number): TaskPorts;
  /** Outputs that wait in all tasks of the process. */
  readonly waiting: ProcessOutputs;
  /** Turns of the tasks at stepping records on which the process may have died. */
  readonly turns: Turns;
  /** Spreads the commits of the tasks. */
  readonly budget: CommitBudget;
  /** Whether the group still gives this process its partitions. Blocks until the coordinator has answered. */
  confirm(): Promise<boolean>;
}

/** How a task ended: handed over, fenced by another owner, or stopped with a named error for somebody on call. */
export type TaskEnd =
  | { readonly kind: "handed-over" }
  | { readonly kind: "fenced"; readonly error: MillraceError }
  | { readonly kind: "stopped"; readonly error: MillraceError };

/** What is known of one life of a task when it has ended. A life goes from step 1 to an end or an uncertain outcome. */
interface Life {
  /** Set in step 3. */
  snapshots: Snapshots | null;
  /** Whether it got as far as step 5. */
  ran: boolean;
  /** Whether it still owned the partition after its error. */
  confirmed: boolean;
}

/** Lives of a task that end without a commit, one after another. */
export interface Failing {
  /** When the first of them ended, by the runtime's clock. */
  readonly sinceMs: number;
  /** When the last one ended. */
  readonly lastMs: number;
  readonly error: unknown;
}

/** What steps 1 to 4 give: a partition that is owned, with the state at its last progress. */
interface TakenOver {
  readonly start: StartingPoint;
  readonly snapshots: Snapshots;
  readonly replica: Replica;
}

/** What a task is doing, for health. */
export type TaskPhase =
  | "starting"
  | "held"
  | "fencing"
  | "reading-progress"
  | "restoring"
  | "catching-up"
  | "running"
  | "waiting"
  | "handing-over"
  | "ended";

/**
 * One input partition, processed exactly once. Before step 1 the task waits for a command that holds it. The numbered
 * steps are those of docs/exactly-once.md:
 *
 * 1. Fence: no older owner can commit any more.
 * 2. Read progress: commit a claim, and find C, the last progress that was committed before it.
 * 3. Claim and restore: take over the snapshot manifest, load the state at S ≤ C.
 * 4. Catch up: run [S, C) again with outputs dropped. The chain must come out as C's.
 * 5. Run: micro-batch transactions of outputs, progress and group offset.
 * 6. Snapshot: the changed keys, as they were at a transaction's last record.
 * 7. Hand over: finish the transaction, snapshot, leave.
 *
 * An uncertain outcome throws producer and state away; a new life begins at step 1. A fence is certain: the task ends.
 * On what would fail again the task stops with a named error (`failure-classes.ts`).
 */
export class Task {
  readonly name: string;
  readonly partition: number;
  readonly #context: TaskContext;
  /** Where the pipeline's code threw, by `failureId`. Outlives a life. */
  readonly #failures = new Map<string, Failure>();
  /** Tokens of this task's lives. */
  readonly #tokens = new Set<string>();
  /** They, and the owner before the first life: a claim by any other means a newer owner. */
  readonly #known = new Set<string>();
  #phase: TaskPhase = "starting";
  /** When the phase began, by the runtime's clock. */
  #phaseSince = 0;
  /** How long the phases of this life took until now, ms. */
  #took: Partial<Record<TaskPhase, number>> = {};
  #hold: Hold | null = null;
  #failing: Failing | null = null;
  /** What the owner before had attempted, if it has committed nothing; null when it, or this task, has. */
  #uncommitted: { readonly attempt: Attempt | null } | null = null;
  #nextOffset: number | null = null;
  #stopping = false;
  readonly #stopRequested = Promise.withResolvers<void>();
  #run: Run | null = null;
  #input: TaskInput | null = null;

  constructor(partition: number, context: TaskContext) {
    this.name = taskKey(context.factory.pipeline, context.factory.log, partition);
    this.partition = partition;
    this.#context = context;
  }

  get phase(): TaskPhase {
    return this.#phase;
  }

  /** The hold that the task waits for, or null. */
  get hold(): Hold | null {
    return this.#hold;
  }

  /** The lives since the last commit, when they failed; null otherwise. */
  get failing(): Failing | null {
    return this.#failing;
  }

  /** Offset of the next record, by the newest progress that is known to be committed; null before the first. */
  get nextOffset(): number | null {
    return this.#nextOffset;
  }

  /** Step 7: asks the task to hand over. `run` then resolves. Does not block. */
  stop(): void {
    this.#stopping = true;
    this.#stopRequested.resolve();
    this.#run?.stop();
    this.#input?.wake();
  }

  /** A rebalance has begun: makes the next commit take a snapshot, so that a new owner has little to catch up. */
  prepareHandOver(): void {
    this.#run?.snapshotSoon();
  }

  /**
   * Lives until it is handed over, fenced, or stopped with a named error. Called once. Never rejects.
   *
   * @param waited Whether it was taken some time ago: the group may have given the partition to another since.
   */
  async run(waited = false): Promise<TaskEnd> {
    const { runtime, observer, options } = this.#context;
    let wait = options.backoffMs.first;
    try {
      for (let mustConfirm = waited; !this.#stopping; mustConfirm = true) {
        // A zombie that woke up must not fence the rightful owner: the newest assignment decides.
        if (mustConfirm && !(await this.#context.confirm())) return this.#givenToAnother();
        const life: Life = { snapshots: null, ran: false, confirmed: false };
        try {
          await this.#live(life);
          return { kind: "handed-over" };
        } catch (error) {
          const end = await this.#judge(error, life);
          if (end) return end;
          const now = runtime.now();
          if (this.#failing === null) wait = options.backoffMs.first;
          this.#failing = { sinceMs: this.#failing?.sinceMs ?? now, lastMs: now, error };
          observer.restarted(this.name, error);
          if (now - this.#failing.sinceMs >= FAILING_MS)
            observer.log(
              "error",
              { task: this.name, alarm: PARTITION_STOPPED, sinceMs: now - this.#failing.sinceMs, err: error },
              "task begins again and again without a commit",
            );
        }
        this.#enter("waiting");
        await Promise.race([runtime.sleep(wait), this.#stopRequested.promise]);
        wait = Math.min(wait * 2, options.backoffMs.most);
      }
      return { kind: "handed-over" };
    } finally {
      this.#enter("ended");
      observer.ended?.(this.name);
    }
  }

  #enter(phase: TaskPhase): void {
    const now = this.#context.runtime.now();
    this.#took[this.#phase] = (this.#took[this.#phase] ?? 0) + Math.round(now - this.#phaseSince);
    this.#phase = phase;
    this.#phaseSince = now;
  }

  #givenToAnother(): TaskEnd {
    const message = `${this.name}: the group has given this partition to another`;
    return { kind: "fenced", error: new MillraceError("fenced", message) };
  }

  /** Resolves when the task is handed over or asked to stop. Rejects with what ended the life. */
  async #live(life: Life): Promise<void> {
    const { runtime } = this.#context;
    const ports = this.#context.openPorts(this.partition);
    const { input, output } = ports;
    const started = runtime.now();
    this.#phaseSince = started;
    this.#took = {};
    this.#input = input;
    try {
      if (!(await this.#mayFence(output))) return;
      const taken = await this.#takeOver(life, ports);
      if (this.#stopping) return;
      life.ran = true;
      await this.#process(taken, ports, started);
    } catch (error) {
      // A task that was fenced while it slept compares with what is no longer so. Before it stops, a second claim shows
      // that it still owns the partition. While it runs, a transaction may be open: then the group is asked.
      if (failureClass(error) === "partition") {
        if (life.ran) life.confirmed = await this.#context.confirm();
        else {
          await output.claim(this.#newToken(), this.#uncommitted?.attempt);
          life.confirmed = true;
        }
      }
      throw error;
    } finally {
      this.#run?.abandon();
      this.#run = null;
      this.#input = null;
      life.snapshots?.giveUp();
      input.close();
      await output.discard();
    }
  }

  #newToken(): string {
    const token = this.#context.runtime.token();
    remember(this.#tokens, token);
    remember(this.#known, token);
    return token;
  }

  /**
   * Before step 1: waits while a command holds the task.
   *
   * @returns Whether the task may fence: not when it is asked to stop.
   * @throws MillraceError `fenced` when another has claimed the partition since this task's last life, or has got it
   *   from the group during the wait
   */
  async #mayFence(output: TaskOutput): Promise<boolean> {
    const { runtime, observer } = this.#context;
    let standing = await output.standing();
    if (standing.hold) {
      observer.log("warn", { task: this.name, ...standing.hold }, "a command holds the task, which waits");
      while (standing.hold && !this.#stopping) {
        this.#enter("held");
        this.#hold = standing.hold;
        await Promise.race([runtime.sleep(HOLD_POLL_MS), this.#stopRequested.promise]);
        standing = await output.standing();
      }
      this.#hold = null;
      if (!this.#stopping && !(await this.#context.confirm()))
        throw new MillraceError("fenced", `${this.name}: the group gave this partition to another during a hold`);
    }
    if (this.#stopping) return false;
    const { owner, uncommitted } = standing;
    if (this.#tokens.size > 0 && owner !== null && !this.#known.has(owner))
      throw new MillraceError("fenced", `${this.name}: another owner has claimed this partition`);
    if (owner !== null) remember(this.#known, owner);
    if (owner === null || !this.#tokens.has(owner)) this.#uncommitted = uncommitted;
    return true;
  }

  /** What an error that ended a life means for the task. @returns Null for a new life. */
  async #judge(error: unknown, { confirmed, ran }: Life): Promise<TaskEnd | null> {
    switch (failureClass(error)) {
      case "fenced":
        return (await this.#fencedByCommand()) ? null : { kind: "fenced", error: error as MillraceError };
      case "partition":
        if (confirmed) return { kind: "stopped", error: error as MillraceError };
        return ran ? this.#givenToAnother() : null;
      default:
        return null;
    }
  }

  /** Whether it was a command that fenced this task: then it is still the task's, and waits for the command. */
  async #fencedByCommand(): Promise<boolean> {
    const { input, output } = this.#context.openPorts(this.partition);
    try {
      const { hold, owner, byCommand }: Standing = await output.standing();
      return (hold !== null || byCommand) && (owner === null || this.#known.has(owner));
    } catch {
      return false;
    } finally {
      input.close();
      await output.discard();
    }
  }

  /** Steps 1 to 4. The replica has no machine when the task is asked to stop meanwhile. */
  async #takeOver(life: Life, ports: TaskPorts): Promise<TakenOver> {
    const { runtime, factory, observer } = this.#context;
    const { input, output } = ports;
    const ahead = Snapshots.readAhead(ports.snapshots, this.name, runtime);
    // 1. Fence.
    this.#enter("fencing");
    await output.fence();
    // 2. Read progress.
    this.#enter("reading-progress");
    const progress = await output.claim(this.#newToken(), this.#uncommitted?.attempt);
    this.#nextOffset = progress?.nextOffset ?? null;
    this.#stopIfDeadly(progress?.nextOffset ?? null);
    // 3. Claim and restore.
    this.#enter("restoring");
    const snapshots = await Snapshots.claim(ports.snapshots, this.name, runtime, observer, await ahead);
    life.snapshots = snapshots;
    const start = startingPoint(this.name, progress, snapshots.manifest, await input.bounds());
    const replica = new Replica({
      task: this.name,
      partition: this.partition,
      factory,
      input,
      snapshots,
      observer,
      origin: start.origin,
      before: start.before,
      failures: this.#failures,
      stopping: () => this.#stopping,
    });
    for (const failure of start.committed?.failed ?? []) this.#failures.set(failureId(failure), failure);
    // 4. Catch up.
    this.#enter("catching-up");
    await replica.build(start.committed);
    return { start, snapshots, replica };
  }

  /**
   * A record in whose step the process has died too often is not stepped again.
   *
   * @throws MillraceError `step-kills-process`
   */
  #stopIfDeadly(nextOffset: number | null): void {
    const attempt = this.#uncommitted?.attempt;
    if (!attempt || attempt.to - attempt.from !== 1 || attempt.from < (nextOffset ?? 0)) return;
    if (attempt.deaths < this.#context.options.maxDeathsInStep) return;
    throw needsRecovery(
      "step-kills-process",
      this.name,
      `the process died ${attempt.deaths} times in the step of the record at offset ${attempt.from}`,
    );
  }

  /** Steps 5 to 7. */
  async #process({ start, snapshots, replica }: TakenOver, ports: TaskPorts, started: number): Promise<void> {
    const { runtime, factory, observer, options, turns, budget } = this.#context;
    // 5 and 6. Run and snapshot.
    this.#enter("running");
    const facts = {
      task: this.name,
      from: start.from,
      committed: start.committed?.nextOffset ?? null,
      ms: Math.round(runtime.now() - started),
      took: this.#took,
    };
    observer.log("info", facts, "task runs");
    this.#run = new Run({
      task: this.name,
      ports,
      runtime,
      replica,
      snapshots,
      origin: start.origin,
      before: start.before,
      fingerprint: factory.fingerprint,
      version: factory.version,
      observer,
      options,
      started,
      waiting: new WaitingOutputs(options, this.#context.waiting),
      suspects: this.#uncommitted && new Suspects(this.#uncommitted.attempt),
      turns,
      budget,
      onProgress: (nextOffset) => {
        this.#nextOffset = nextOffset;
        this.#failing = null;
        this.#uncommitted = null;
      },
    });
    if (this.#stopping) this.#run.stop();
    // Other code may not be able to catch up to what this one commits, nor this one to what that one does.
    if (start.committed && start.committed.fingerprint !== factory.fingerprint) this.#run.snapshotSoon();
    const leave = budget.join();
    try {
      await this.#run.loop();
    } finally {
      leave();
    }
    // 7. Hand over.
    this.#enter("handing-over");
    await this.#run.handOver();
  }
}

/** Adds to a set of tokens, and forgets the oldest of too many: so many lives ago nothing was committed that counts. */
function remember(tokens: Set<string>, token: string): void {
  tokens.delete(token);
  tokens.add(token);
  if (tokens.size > MAX_TOKENS) tokens.delete(tokens.values().next().value!);
}
