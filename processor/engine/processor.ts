import type { MillraceError } from "../../domain/errors.ts";
import { PARTITION_STOPPED } from "../../domain/names.ts";
import { CommitBudget } from "./commit-budget.ts";
import type { Hold, Membership } from "./ports.ts";
import { Turns } from "./suspects.ts";
import { Task, type Failing, type TaskContext, type TaskEnd, type TaskPhase } from "./task.ts";

/** First and longest wait before the group is joined again after an unexplained fence. It doubles. */
const REJOIN_MS = { first: 500, most: 30_000 } as const;

/** How often a stopped partition is logged: the alarm counts these lines. */
const STOPPED_LOG_MS = 60_000;
/** How often a stopped task looks whether somebody has recovered it. */
const RECOVERED_POLL_MS = 2_000;

/** State of one owned partition, for health. */
export interface TaskStatus {
  readonly task: string;
  readonly partition: number;
  readonly phase: TaskPhase;
  /** The named error with which the task stopped, or null. */
  readonly stopped: MillraceError | null;
  /** The lives since the last commit, when they failed; null otherwise. */
  readonly failing: Failing | null;
  /** The command that the task waits for, or null. */
  readonly hold: Hold | null;
}

/** A partition that the group has assigned to this process, and its task. */
interface Owned {
  readonly task: Task;
  /** Resolves when the task has ended and what follows from that is done. */
  readonly ended: Promise<void>;
  /** Number of the assignment under which it was taken. */
  readonly since: number;
  /** The named error with which the task stopped, or null. */
  stopped: MillraceError | null;
}

/**
 * Runs a task for each partition that the consumer group assigns to this process. The group decides who should own a
 * partition. Only the fence decides who can commit, so nothing here has to be in time.
 */
export class Processor {
  readonly #membership: Membership;
  readonly #context: TaskContext;
  readonly #owned = new Map<number, Owned>();
  /** Hand-overs that are under way, by partition. A new task of the same partition waits for its predecessor's. */
  readonly #ending = new Map<number, Promise<void>>();
  readonly #onLost: (error: unknown) => void;
  #rejoinWait: number = REJOIN_MS.first;
  #rejoining = false;
  #rejoinedAt = -Infinity;
  #assigned: ReadonlySet<number> = new Set();
  /** How many assignments the group has made. */
  #assignments = 0;
  #joined = false;
  #stopping = false;

  /** @param onLost Called when the process can do nothing more and should end. */
  constructor(
    membership: Membership,
    context: Omit<TaskContext, "confirm" | "waiting" | "turns" | "budget">,
    onLost: (error: unknown) => void,
  ) {
    this.#membership = membership;
    this.#context = {
      ...context,
      openPorts: (partition) => context.openPorts(partition),
      confirm: () => membership.confirm(),
      waiting: { bytes: 0 },
      turns: new Turns(),
      budget: new CommitBudget(context.options.transactionsPerSecond),
    };
    this.#onLost = onLost;
  }

  /** Whether the group has made an assignment yet, even an empty one. */
  get joined(): boolean {
    return this.#joined;
  }

  /** The owned partitions, ascending. */
  tasks(): TaskStatus[] {
    return [...this.#owned]
      .map(([partition, { task, stopped }]) => ({
        task: task.name,
        partition,
        phase: task.phase,
        stopped,
        failing: task.failing,
        hold: task.hold,
      }))
      .sort((a, b) => a.partition - b.partition);
  }

  /** Joins the group; tasks begin and end with its assignments. */
  async start(): Promise<void> {
    await this.#membership.join({
      onAssigned: (partitions) => this.#assign(new Set(partitions)),
      onRebalancing: () => this.#owned.forEach(({ task }) => task.prepareHandOver()),
      onLost: this.#onLost,
    });
  }

  /** Step 7 for all tasks, then leaves the group. Takes as long as the longest hand-over. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#release();
    await this.#membership.leave();
  }

  #assign(partitions: ReadonlySet<number>): void {
    if (this.#stopping) return;
    this.#joined = true;
    this.#assignments++;
    this.#assigned = partitions;
    for (const partition of [...this.#owned.keys()]) if (!partitions.has(partition)) this.#drop(partition);
    for (const partition of partitions) if (!this.#owned.has(partition)) this.#take(partition);
  }

  #take(partition: number): void {
    const task = new Task(partition, this.#context);
    const predecessor = this.#ending.get(partition);
    const owned: Owned = {
      task,
      since: this.#assignments,
      stopped: null,
      ended: Promise.resolve(predecessor).then(async () =>
        this.#afterEnd(partition, owned, await task.run(predecessor !== undefined)),
      ),
    };
    this.#owned.set(partition, owned);
  }

  /** Begins to hand a partition over, which is owned. */
  #drop(partition: number): void {
    const { task, stopped, ended } = this.#owned.get(partition)!;
    this.#owned.delete(partition);
    task.stop();
    if (stopped) this.#context.observer.stopped?.(task.name, false);
    // A successor that is dropped before this one has ended never runs: it ends with this one.
    const ending = ended.finally(() => this.#ending.delete(partition));
    this.#ending.set(partition, ending);
  }

  /** Hands all partitions over. */
  async #release(): Promise<void> {
    for (const partition of [...this.#owned.keys()]) this.#drop(partition);
    await Promise.all(this.#ending.values());
  }

  async #afterEnd(partition: number, owned: Owned, end: TaskEnd): Promise<void> {
    const { observer } = this.#context;
    if (end.kind === "stopped") {
      owned.stopped = end.error;
      observer.stopped?.(owned.task.name, true);
      void this.#resumeWhenRecovered(partition, owned, end.error);
    } else if (end.kind === "fenced") {
      observer.log("warn", { task: owned.task.name, reason: end.error.message }, "task was fenced");
      if (this.#owned.get(partition) === owned) await this.#afterFence(partition, owned);
    }
  }

  /**
   * `npm run recover` claims the manifest. A stopped task begins again when it sees another owner there. Its lag is
   * measured meanwhile.
   */
  async #resumeWhenRecovered(partition: number, owned: Owned, stopped: MillraceError): Promise<void> {
    const { runtime, observer } = this.#context;
    const { task } = owned;
    const { snapshots, input } = this.#context.openPorts(partition);
    const read = async (): Promise<string | undefined> =>
      (await snapshots.readManifest(task.name).catch(() => null))?.owner;
    let loggedAt = -Infinity;
    const before = await read();
    for (let owner = before; this.#owned.get(partition) === owned; owner = await read()) {
      if (owner !== before && owner !== undefined) {
        observer.stopped?.(task.name, false);
        this.#take(partition);
        break;
      }
      if (runtime.now() - loggedAt >= STOPPED_LOG_MS) {
        loggedAt = runtime.now();
        const facts = { task: task.name, code: stopped.code, alarm: PARTITION_STOPPED, err: stopped };
        observer.log("error", facts, "task stopped with a named error");
      }
      const log = await input.bounds().catch(() => null);
      if (log) observer.lag?.(task.name, log.latest - Math.max(log.earliest, task.nextOffset ?? 0));
      await runtime.sleep(RECOVERED_POLL_MS);
    }
    input.close();
  }

  /**
   * Another process owns the partition. If the group has made an assignment since this task began, the newest one
   * decides. If not, the group still calls this process the owner: it leaves and joins again, so that the group decides
   * again. Fencing back would never end.
   */
  async #afterFence(partition: number, owned: Owned): Promise<void> {
    this.#owned.delete(partition);
    const confirmed = await this.#membership.confirm();
    if (this.#stopping || this.#rejoining) return;
    if (!confirmed) return; // the assignment that follows takes it, if it is ours
    if (this.#assignments > owned.since) {
      if (this.#assigned.has(partition) && !this.#owned.has(partition)) this.#take(partition);
      return;
    }
    await this.#rejoin(owned.task.name);
  }

  async #rejoin(task: string): Promise<void> {
    const { runtime, observer } = this.#context;
    this.#rejoining = true;
    if (runtime.now() - this.#rejoinedAt > REJOIN_MS.most * 2) this.#rejoinWait = REJOIN_MS.first;
    observer.log(
      "warn",
      { task, waitMs: this.#rejoinWait },
      "fenced by an owner that the group does not know; leaving the group and joining anew",
    );
    try {
      await this.#release();
      await this.#membership.leave();
      await runtime.sleep(this.#rejoinWait);
      this.#rejoinWait = Math.min(this.#rejoinWait * 2, REJOIN_MS.most);
      this.#rejoinedAt = runtime.now();
      this.#rejoining = false;
      if (!this.#stopping) await this.start();
    } catch (error) {
      this.#onLost(error);
    }
  }
}
