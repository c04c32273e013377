import { MillraceError } from "../../domain/errors.ts";
import { taskKey } from "../../domain/names.ts";
import type { MachineFactory } from "../runtime/machine.ts";
import type { EngineObserver, Runtime, TaskPorts } from "./ports.ts";
import { Replica } from "./replica.ts";
import { Run } from "./run.ts";
import { Snapshots } from "./snapshots.ts";
import { startingPoint } from "./starting-point.ts";

export interface TaskOptions {
  readonly commitIntervalMs: number;
  readonly snapshotIntervalMs: number;
  /** Longest time that a hand-over may take. */
  readonly handOverMs: number;
  /** First and longest wait between two lives after an uncertain outcome. */
  readonly backoffMs: { readonly first: number; readonly most: number };
}

export const defaultTaskOptions: TaskOptions = {
  commitIntervalMs: 100,
  snapshotIntervalMs: 10_000,
  handOverMs: 10_000,
  backoffMs: { first: 100, most: 10_000 },
};

/** What all tasks of a process share. */
export interface TaskContext {
  readonly factory: MachineFactory;
  readonly options: TaskOptions;
  readonly observer: EngineObserver;
  readonly runtime: Runtime;
  /** Fresh ports for one life of a task. */
  openPorts(partition: number): TaskPorts;
  /** Whether the group still gives this process its partitions; waits for the coordinator's word. */
  confirm(): Promise<boolean>;
}

/** How a task ended: handed over, fenced by another owner, or stopped by name for somebody on call. */
export type TaskEnd =
  | { readonly kind: "handed-over" }
  | { readonly kind: "fenced"; readonly error: MillraceError }
  | { readonly kind: "stopped"; readonly error: MillraceError };

/** What is known of one life of a task when it has ended. */
interface Life {
  /** It got as far as step 5. */
  ran: boolean;
  /** After its error it still owned the partition. */
  confirmed: boolean;
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
 * 1. Fence: an older owner can commit no more.
 * 2. Read progress: commit a claim, and find C, the last progress committed before it.
 * 3. Claim and restore: take over the snapshot manifest, load the state at S ≤ C.
 * 4. Catch up: run [S, C) again with outputs suppressed; the chain must come out as C's.
 * 5. Run: micro-batch transactions of outputs, progress and group offset.
 * 6. Snapshot: changed keys, as they were at a transaction's last record.
 * 7. Hand over: finish the transaction, snapshot, leave.
 *
 * Whatever is uncertain throws producer and state away and begins again at step 1. Fenced is certain: the task ends.
 */
export class Task {
  readonly name: string;
  readonly partition: number;
  readonly #c: TaskContext;
  /** Records that our own code failed on, with the message of the failure. */
  readonly #failed = new Map<number, string>();
  #phase: TaskPhase = "starting";
  #stopping = false;
  readonly #stopRequested: Promise<void>;
  #requestStop: () => void = () => undefined;
  #run: Run | null = null;
  #wake: (() => void) | null = null;

  constructor(partition: number, context: TaskContext) {
    this.name = taskKey(context.factory.pipeline, context.factory.sourceTopic, partition);
    this.partition = partition;
    this.#c = context;
    this.#stopRequested = new Promise((resolve) => (this.#requestStop = resolve));
  }

  get phase(): TaskPhase {
    return this.#phase;
  }

  /** Step 7: asks the task to hand over; `run` then resolves. */
  stop(): void {
    this.#stopping = true;
    this.#requestStop();
    this.#run?.stop();
    this.#wake?.();
  }

  /** A rebalance has begun: commit and snapshot soon, so that whoever gets the partition has little to catch up. */
  prepareHandOver(): void {
    this.#run?.snapshotSoon();
  }

  /** Lives until it is handed over, fenced or stopped by name. Never rejects. */
  async run(): Promise<TaskEnd> {
    let wait = this.#c.options.backoffMs.first;
    try {
      for (;;) {
        const life: Life = { ran: false, confirmed: false };
        try {
          await this.#live(life);
          return { kind: "handed-over" };
        } catch (error) {
          const end = this.#judge(error, life.confirmed);
          if (end) return end;
          if (life.ran) wait = this.#c.options.backoffMs.first;
          this.#c.observer.restarted(this.name, error);
        }
        this.#phase = "waiting";
        await Promise.race([this.#c.runtime.sleep(wait), this.#stopRequested]);
        wait = Math.min(wait * 2, this.#c.options.backoffMs.most);
        if (this.#stopping) return { kind: "handed-over" };
        // A zombie that woke up must not fence the rightful owner: ask the group first.
        if (!(await this.#c.confirm()))
          return {
            kind: "fenced",
            error: new MillraceError("fenced", `${this.name}: the group has given this partition to another`),
          };
      }
    } finally {
      this.#phase = "ended";
      this.#c.observer.ended?.(this.name);
    }
  }

  /**
   * What an error that ended a life means: an end, or null for a new life; `confirmed` says that no stale view can have
   * caused it.
   */
  #judge(error: unknown, confirmed: boolean): TaskEnd | null {
    if (!(error instanceof MillraceError) || error.code === "outcome-unknown") return null;
    if (error.code === "fenced") return { kind: "fenced", error };
    return confirmed || error.code === "step-failed-again" ? { kind: "stopped", error } : null;
  }

  async #live(life: Life): Promise<void> {
    const { runtime, factory, observer, options } = this.#c;
    const ports = this.#c.openPorts(this.partition);
    const { input, output } = ports;
    const started = runtime.now();
    this.#wake = () => input.wake();
    let snapshots: Snapshots | null = null;
    try {
      // 1. Fence.
      this.#phase = "fencing";
      await output.fence();
      // 2. Read progress.
      this.#phase = "reading-progress";
      const progress = await output.claim(runtime.token());
      // 3. Claim and restore.
      this.#phase = "restoring";
      snapshots = await Snapshots.claim(ports.snapshots, this.name, runtime, observer);
      const start = startingPoint(this.name, progress, snapshots.manifest, await input.bounds());
      const replica = new Replica({
        task: this.name,
        partition: this.partition,
        factory,
        input,
        snapshots,
        observer,
        origin: start.origin,
        failed: this.#failed,
        stopping: () => this.#stopping,
      });
      for (const [offset, message] of start.committed?.failed ?? []) this.#failed.set(offset, message);
      // 4. Catch up.
      this.#phase = "catching-up";
      await replica.build(start.committed);
      if (this.#stopping) return;
      // 5 and 6. Run and snapshot; 7. hand over.
      this.#phase = "running";
      life.ran = true;
      observer.log(
        "info",
        {
          task: this.name,
          from: start.from,
          committed: start.committed?.nextOffset ?? null,
          ms: Math.round(runtime.now() - started),
        },
        "task runs",
      );
      this.#run = new Run({
        name: this.name,
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
      this.#phase = "handing-over";
      await this.#run.handOver();
    } catch (error) {
      // A task that was fenced while it slept compares what is no longer so. Before it stops by name, a second claim
      // shows that it still owns the partition; while it runs, a transaction may be open: then the next life decides.
      if (error instanceof MillraceError && error.code !== "fenced" && error.code !== "outcome-unknown" && !life.ran) {
        await output.claim(runtime.token());
        life.confirmed = true;
      }
      throw error;
    } finally {
      this.#run = null;
      this.#wake = null;
      snapshots?.close();
      input.close();
      await output.discard();
    }
  }
}
