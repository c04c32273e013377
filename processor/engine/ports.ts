import type { InputRecord, OutputRecord, StateMachine } from "../runtime/machine.ts";

/**
 * What the engine needs from the world. Each port has a real adapter (`processor/adapters`) and a simulated one
 * (`test/processor/engine/simulated`), and one contract suite runs over both.
 *
 * Errors of every port: `MillraceError` `fenced` when another owner is certain to have taken over; any other
 * `MillraceError` stops the task by name; everything else counts as uncertain and restarts the task.
 */

/** How far a task is: the value of its newest record in `millrace-progress`. */
export interface Progress {
  /** Offset of the record that comes next. */
  readonly nextOffset: number;
  /** Offset at which this task's state began: with no snapshot, catching up starts here. */
  readonly origin: number;
  /** Fingerprint of code, settings and model that wrote it. */
  readonly fingerprint: string;
  /** Checksum over ids and contents of all outputs so far, less what comes from scores. */
  readonly chain: string;
  /**
   * Records below `nextOffset` that our own code failed on, with the message: a restart steps them as dead letters at
   * once.
   */
  readonly failed: readonly (readonly [offset: number, message: string])[];
}

/** One input partition, read by one task. The task owns the position: nothing else moves it. */
export interface TaskInput {
  /** First offset in the log and the offset that the next record will get. */
  bounds(): Promise<{ readonly earliest: number; readonly latest: number }>;
  /** Sets the position; what was fetched before is dropped. */
  seek(offset: number): void;
  /**
   * The next records in offset order, at most a few megabytes; empty after `waitMs` or `wake()` without any.
   *
   * @throws MillraceError `input-lost` when the position is outside the log.
   */
  read(waitMs: number): Promise<readonly InputRecord[]>;
  /** Makes a `read` that waits return at once. */
  wake(): void;
  /** Records between the position and the end of the log, as last heard from the broker. */
  lag(): number;
  close(): void;
}

/** What one task writes. One call at a time; after any error only `discard` may follow. */
export interface TaskOutput {
  /** Step 1. On return no older owner of this partition can commit any more, and its open transaction has ended. */
  fence(): Promise<void>;
  /** Step 2. Commits a claim record that carries `token` and gives the task's last progress committed before it. */
  claim(token: string): Promise<Progress | null>;
  /**
   * Step 5. Writes records inside the open transaction (opening it if there is none), visible to uncommitted readers at
   * once.
   */
  send(outputs: readonly OutputRecord[]): Promise<void>;
  /** Step 5. Sends `last`, the progress record and the group's offset, and commits everything since the last commit. */
  commit(progress: Progress, last: readonly OutputRecord[]): Promise<void>;
  /** Throws the producer away, without aborting or committing anything. Never fails, may be called twice. */
  discard(): Promise<void>;
}

/** One generation of snapshot segments: `parts` items under keys made of task, owner, generation and number. */
export interface SegmentGroup {
  readonly generation: number;
  /** Token of the owner that wrote them. */
  readonly owner: string;
  readonly parts: number;
  readonly bytes: number;
}

/** Which segments make up a task's newest snapshot, and what they cover. */
export interface Manifest {
  /** Grows by one with every write: the condition of the next one. */
  readonly version: number;
  readonly owner: string;
  /** Layout of manifest and segments, see `SNAPSHOT_LAYOUT`. */
  readonly layout: number;
  /** State and chain that the segments hold; null when only a claim was written so far. */
  readonly covers: Omit<Progress, "failed"> | null;
  /** Ascending by generation. */
  readonly segments: readonly SegmentGroup[];
}

/** Where snapshots of tasks are kept. It never decides what was committed. */
export interface SnapshotStore {
  /** The manifest as last written (a consistent read), or null. */
  readManifest(task: string): Promise<Manifest | null>;
  /**
   * Writes `next` if the stored manifest has `expected`'s version and owner (null: if there is none). False: it had
   * not.
   */
  writeManifest(task: string, next: Manifest, expected: Pick<Manifest, "version" | "owner"> | null): Promise<boolean>;
  putSegment(task: string, key: SegmentKey, bytes: Uint8Array): Promise<void>;
  /** The bytes as they were put, or null when the item is gone or does not match its checksum. */
  getSegment(task: string, key: SegmentKey): Promise<Uint8Array | null>;
  deleteSegment(task: string, key: SegmentKey): Promise<void>;
}

export interface SegmentKey {
  readonly owner: string;
  readonly generation: number;
  readonly part: number;
}

/** Wall clock, timers, randomness, and work off the main thread. */
export interface Runtime {
  /** Milliseconds; only differences mean something. */
  now(): number;
  sleep(ms: number): Promise<void>;
  /** A token that nobody else has. */
  token(): string;
  /** Compresses (zlib). */
  deflate(bytes: Uint8Array): Promise<Uint8Array>;
  inflate(bytes: Uint8Array): Promise<Uint8Array>;
}

/** Which partitions of the source topic this process works on, as its consumer group decides. */
export interface Membership {
  /** Joins; `onAssigned` is called with the whole assignment after every rebalance, `onRebalancing` when one begins. */
  join(listener: MembershipListener): Promise<void>;
  /** Leaves the group, so that others get the partitions at once. */
  leave(): Promise<void>;
  /** Resolves when the coordinator has confirmed the current assignment anew; false when it changed first. */
  confirm(): Promise<boolean>;
}

export interface MembershipListener {
  onAssigned(partitions: readonly number[]): void;
  onRebalancing(): void;
  /** The membership is lost for good (say, an authorization failure): the process should end. */
  onLost(error: unknown): void;
}

/** Everything one task works with. */
export interface TaskPorts {
  readonly input: TaskInput;
  readonly output: TaskOutput;
  readonly snapshots: SnapshotStore;
}

/** What the engine tells about itself. */
export interface EngineObserver {
  log(level: "debug" | "info" | "warn" | "error", fields: Record<string, unknown>, message: string): void;
  committed(
    task: string,
    facts: { readonly nextOffset: number; readonly latencyMs: number; readonly lag: number },
  ): void;
  /** The task has caught up: what its machine counts from here on is new. */
  running?(task: string, machine: StateMachine): void;
  stepped(task: string, records: number, outputs: readonly OutputRecord[]): void;
  snapshotWritten(task: string, facts: { readonly bytes: number; readonly milliseconds: number }): void;
  restarted(task: string, error: unknown): void;
  recovered(task: string, milliseconds: number): void;
  /** The task does not run in this process any more. */
  ended?(task: string): void;
}
