import { MillraceError } from "../../domain/errors.ts";
import { taskKey } from "../../domain/names.ts";
import { type Failure, failureId, type MachineFactory } from "../runtime/machine.ts";
import type { EngineObserver, Runtime, TaskInput, TaskPorts } from "./ports.ts";
import { Replica } from "./replica.ts";
import { Run } from "./run.ts";
import { Snapshots } from "./snapshots.ts";
import { startingPoint, type StartingPoint } from "./starting-point.ts";
import type { TaskOptions } from "./task-options.ts";

/** What all tasks of a process share. */
export interface TaskContext {
  readonly factory: MachineFactory;
  readonly options: TaskOptions;
  readonly observer: EngineObserver;
  readonly runtime: Runtime;
  /** Gives fresh ports. Called at the beginning of each life of a task. */
  openPorts(partition: number): TaskPorts;
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

/** What steps 1 to 4 give: a partition that is owned, with the state at its last progress. */
interface TakenOver {
  readonly start: StartingPoint;
  readonly snapshots: Snapshots;
  readonly replica: Replica;
}

/** What a task is doing, for health. */
export type TaskPhase =
  | "starting"
  | "fencing"
  | "reading-progress"
  | "restoring"
  | "catching-up"
  | "running"
  | "waiting"
  | "handing-over"
  | "ended";

/**
 * One input partition, processed exactly once. The numbered steps are those of docs/exactly-once.md:
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
 */
export class Task {
  readonly name: string;
  readonly partition: number;
  readonly #context: TaskContext;
  /** Where the pipeline's code threw, by `failureId`. Outlives a life. */
  readonly #failures = new Map<string, Failure>();
  #phase: TaskPhase = "starting";
  #stopping = false;
  readonly #stopRequested = Promise.withResolvers<void>();
  #run: Run | null = null;
  #input: TaskInput | null = null;

  constructor(partition: number, context: TaskContext) {
    this.name = taskKey(context.factory.pipeline, context.factory.sourceTopic, partition);
    this.partition = partition;
    this.#context = context;
  }

  get phase(): TaskPhase {
    return this.#phase;
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

  /** Lives until it is handed over, fenced, or stopped with a named error. Called once. Never rejects. */
  async run(): Promise<TaskEnd> {
    const { runtime, observer, options } = this.#context;
    let wait = options.backoffMs.first;
    try {
      for (;;) {
        const life: Life = { snapshots: null, ran: false, confirmed: false };
        try {
          await this.#live(life);
          return { kind: "handed-over" };
        } catch (error) {
          const end = judge(error, life.confirmed);
          if (end) return end;
          if (life.ran) wait = options.backoffMs.first;
          observer.restarted(this.name, error);
        }
        this.#phase = "waiting";
        await Promise.race([runtime.sleep(wait), this.#stopRequested.promise]);
        wait = Math.min(wait * 2, options.backoffMs.most);
        if (this.#stopping) return { kind: "handed-over" };
        // A zombie that woke up must not fence the rightful owner: ask the group first.
        if (!(await this.#context.confirm())) {
          const message = `${this.name}: the group has given this partition to another`;
          return { kind: "fenced", error: new MillraceError("fenced", message) };
        }
      }
    } finally {
      this.#phase = "ended";
      observer.ended?.(this.name);
    }
  }

  /** Resolves when the task is handed over or asked to stop. Rejects with what ended the life. */
  async #live(life: Life): Promise<void> {
    const { runtime } = this.#context;
    const ports = this.#context.openPorts(this.partition);
    const { input, output } = ports;
    const started = runtime.now();
    this.#input = input;
    try {
      const taken = await this.#takeOver(life, ports);
      if (this.#stopping) return;
      life.ran = true;
      await this.#process(taken, ports, started);
    } catch (error) {
      // A task that was fenced while it slept compares with what is no longer so. Before it stops, a second claim shows
      // that it still owns the partition. While it runs, a transaction may be open: then the next life decides.
      if (isNamed(error) && !life.ran) {
        await output.claim(runtime.token());
        life.confirmed = true;
      }
      throw error;
    } finally {
      this.#run = null;
      this.#input = null;
      life.snapshots?.close();
      input.close();
      await output.discard();
    }
  }

  /** Steps 1 to 4. The replica has no machine when the task is asked to stop meanwhile. */
  async #takeOver(life: Life, ports: TaskPorts): Promise<TakenOver> {
    const { runtime, factory, observer } = this.#context;
    const { input, output } = ports;
    // 1. Fence.
    this.#phase = "fencing";
    await output.fence();
    // 2. Read progress.
    this.#phase = "reading-progress";
    const progress = await output.claim(runtime.token());
    // 3. Claim and restore.
    this.#phase = "restoring";
    const snapshots = await Snapshots.claim(ports.snapshots, this.name, runtime, observer);
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
      failures: this.#failures,
      stopping: () => this.#stopping,
    });
    for (const failure of start.committed?.failed ?? []) this.#failures.set(failureId(failure), failure);
    // 4. Catch up.
    this.#phase = "catching-up";
    await replica.build(start.committed);
    return { start, snapshots, replica };
  }

  /** Steps 5 to 7. */
  async #process({ start, snapshots, replica }: TakenOver, ports: TaskPorts, started: number): Promise<void> {
    const { runtime, factory, observer, options } = this.#context;
    // 5 and 6. Run and snapshot.
    this.#phase = "running";
    const facts = {
      task: this.name,
      from: start.from,
      committed: start.committed?.nextOffset ?? null,
      ms: Math.round(runtime.now() - started),
    };
    observer.log("info", facts, "task runs");
    this.#run = new Run({
      task: this.name,
      ports,
      runtime,
      replica,
      snapshots,
      origin: start.origin,
      fingerprint: factory.fingerprint,
      observer,
      options,
      started,
    });
    if (this.#stopping) this.#run.stop();
    await this.#run.loop();
    // 7. Hand over.
    this.#phase = "handing-over";
    await this.#run.handOver();
  }
}

/**
 * What an error that ended a life means for the task.
 *
 * @param confirmed Whether the task still owned the partition after the error: no stale view can have caused it.
 * @returns Null for a new life.
 */
function judge(error: unknown, confirmed: boolean): TaskEnd | null {
  if (error instanceof MillraceError && error.code === "fenced") return { kind: "fenced", error };
  if (!isNamed(error)) return null;
  return confirmed || error.code === "step-failed-again" ? { kind: "stopped", error } : null;
}

/** Whether this is an error that stops a task until somebody recovers it. */
function isNamed(error: unknown): error is MillraceError {
  return error instanceof MillraceError && error.code !== "fenced" && error.code !== "outcome-unknown";
}
