import { MillraceError } from "../../domain/errors.ts";
import { taskKey } from "../../domain/names.ts";
import { process, StepFailed, type MachineFactory, type StateMachine } from "../path/machine.ts";
import type { EngineObserver, Progress, Runtime, TaskPorts } from "./ports.ts";
import { Run } from "./run.ts";
import { Snapshots } from "./snapshots.ts";
import { checkCaughtUp, startingPoint } from "./starting-point.ts";

export interface TaskOptions {
  readonly commitIntervalMs: number;
  readonly snapshotIntervalMs: number;
  /** Longest time that a hand-over may take. */
  readonly handOverMs: number;
  /** First and longest wait between two lives after an uncertain outcome. */
  readonly backoffMs: { readonly first: number; readonly most: number };
}

export const defaultTaskOptions: TaskOptions = { commitIntervalMs: 100, snapshotIntervalMs: 10_000, handOverMs: 10_000, backoffMs: { first: 100, most: 10_000 } };

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
export type TaskEnd = { readonly kind: "handed-over" } | { readonly kind: "fenced"; readonly error: MillraceError } | { readonly kind: "stopped"; readonly error: MillraceError };

/** What a task is doing, for health. */
export type TaskPhase = "starting" | "fencing" | "reading-progress" | "restoring" | "catching-up" | "running" | "waiting" | "handing-over" | "ended";

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
        const born = { ran: false };
        try {
          await this.#live(born);
          return { kind: "handed-over" };
        } catch (error) {
          const end = this.#judge(error);
          if (end) return end;
          if (born.ran) wait = this.#c.options.backoffMs.first;
          this.#c.observer.restarted(this.name, error);
        }
        this.#phase = "waiting";
        await Promise.race([this.#c.runtime.sleep(wait), this.#stopRequested]);
        wait = Math.min(wait * 2, this.#c.options.backoffMs.most);
        if (this.#stopping) return { kind: "handed-over" };
        // A zombie that woke up must not fence the rightful owner: ask the group first.
        if (!(await this.#c.confirm())) return { kind: "fenced", error: new MillraceError("fenced", `${this.name}: the group has given this partition to another`) };
      }
    } finally {
      this.#phase = "ended";
    }
  }

  /** What an error that ended a life means: an end, or null for a new life. */
  #judge(error: unknown): TaskEnd | null {
    if (error instanceof StepFailed) {
      const { message } = error;
      this.#c.observer.log("error", { task: this.name, offset: error.offset, err: error }, "our own code failed on a record; it goes to the dead letters");
      if (this.#failed.has(error.offset)) return { kind: "stopped", error: new MillraceError("step-failed-again", `${this.name}: the record at offset ${error.offset} fails even as a dead letter: ${message}`, { cause: error }) };
      this.#failed.set(error.offset, message);
      return null;
    }
    if (error instanceof MillraceError && error.code === "fenced") return { kind: "fenced", error };
    if (error instanceof MillraceError && error.code !== "outcome-unknown") return { kind: "stopped", error };
    return null;
  }

  async #live(born: { ran: boolean }): Promise<void> {
    const { runtime } = this.#c;
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
      snapshots = await Snapshots.claim(ports.snapshots, this.name, runtime, this.#c.observer);
      const start = startingPoint(this.name, progress, snapshots.manifest, await input.bounds());
      const covers = snapshots.manifest.covers;
      const machine = await this.#c.factory.create({
        partition: this.partition,
        restored: start.restore && covers ? { nextOffset: covers.nextOffset, chain: covers.chain, entries: await snapshots.load() } : null,
        failedOffsets: this.#failed,
      });
      input.seek(start.from);
      // 4. Catch up.
      this.#phase = "catching-up";
      if (start.committed) await this.#catchUp(ports, machine, start.committed);
      if (this.#stopping) return;
      // 5 and 6. Run and snapshot; 7. hand over.
      this.#phase = "running";
      born.ran = true;
      this.#c.observer.log("info", { task: this.name, from: start.from, committed: start.committed?.nextOffset ?? null, ms: Math.round(runtime.now() - started) }, "task runs");
      this.#run = new Run({ name: this.name, ports, runtime, machine, snapshots, origin: start.origin, fingerprint: this.#c.factory.fingerprint, observer: this.#c.observer, options: this.#c.options, started });
      if (this.#stopping) this.#run.stop();
      await this.#run.loop();
      this.#phase = "handing-over";
      await this.#run.handOver();
    } finally {
      this.#run = null;
      this.#wake = null;
      snapshots?.close();
      input.close();
      await output.discard();
    }
  }

  /** Step 4: steps [S, C) and drops the outputs: they were committed already. */
  async #catchUp({ input }: TaskPorts, machine: StateMachine, committed: Progress): Promise<void> {
    while (machine.nextOffset < committed.nextOffset && !this.#stopping) {
      const records = await input.read(CATCH_UP_WAIT_MS);
      const committedRecords = records.filter(({ offset }) => offset < committed.nextOffset);
      await process(machine, committedRecords);
      if (committedRecords.length < records.length) break;
    }
    if (this.#stopping) return;
    checkCaughtUp(this.name, committed, { nextOffset: machine.nextOffset, chain: machine.chain, fingerprint: this.#c.factory.fingerprint });
    input.seek(committed.nextOffset);
  }

}

const CATCH_UP_WAIT_MS = 500;
