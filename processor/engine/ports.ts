import type { Failure, InputRecord, OutputRecord, StateMachine } from "../runtime/machine.ts";

/**
 * What the engine needs from the world. Each port has a real adapter (`processor/adapters`) and a simulated one
 * (`test/processor/engine/simulated`). One contract suite runs over both (`test/processor/engine/ports-contract.ts`).
 *
 * Rejections mean the same for every port:
 *
 * - `MillraceError` `fenced`: another owner has certainly taken over. The task ends.
 * - `MillraceError` of any other code but `outcome-unknown`: the task first confirms that it still owns the partition,
 *   then stops with that error. Trying again would fail again.
 * - Everything else: nobody knows whether the call took effect. The task begins again at step 1 (docs/exactly-once.md).
 *
 * `failure-classes.ts` has the table.
 */

/** How far a task is: the value of its newest record in `millrace-progress`. */
export interface Progress {
  /** Offset of the next record to process. */
  readonly nextOffset: number;
  /** Offset at which this task's state began. Without a snapshot, catching up starts here. */
  readonly origin: number;
  /** Fingerprint of the code that wrote this. */
  readonly fingerprint: string;
  /** Version of that code, for people. Absent: of before progress records had it. */
  readonly version?: string | undefined;
  /** Checksum over ids and contents of all outputs so far. Contents that depend on a model's scores are left out. */
  readonly chain: string;
  /** Version of each kind of control record that the task reads. Absent: of before settings stood in the log. */
  readonly controls?: Readonly<Record<string, number>> | undefined;
  /** Fingerprint of the code and settings that the task ran under before settings stood in the log. */
  readonly before?: string | undefined;
  /** Where the pipeline's code threw in steps below `nextOffset`. A restart makes dead letters of them at once. */
  readonly failed: readonly Failure[];
}

/** What a partition's log holds. */
export interface LogBounds {
  /** Offset of the first record. */
  readonly earliest: number;
  /** Offset that the next record will get. */
  readonly latest: number;
}

/** One input partition, read by one life of a task. The task owns the position: nothing else moves it. */
export interface TaskInput {
  bounds(): Promise<LogBounds>;
  /** Sets the position. Drops what was fetched before. Must come before the first `read`. Does not block. */
  seek(offset: number): void;
  /**
   * The next records in offset order, at most a few megabytes. Blocks until there is one. Returns none after `waitMs`
   * or `wake()`.
   *
   * @throws MillraceError `input-lost` when the position is outside the log.
   */
  read(waitMs: number): Promise<readonly InputRecord[]>;
  /** Makes a blocked `read` return at once. */
  wake(): void;
  /** Number of offsets between the position and the end of the log, by the broker's last answer. Does not block. */
  lag(): number;
  /** Ends the port when a life ends, and makes a blocked `read` return. */
  close(): void;
}

/**
 * A command holds a task: it writes so to `millrace-progress` before it fences, and takes the hold away at its end. The
 * task waits meanwhile. The hold of a command that died stays until the command is given again.
 */
export interface Hold {
  /** Name of the command, such as `recover`. */
  readonly command: string;
  /** When it was written, as ISO 8601. For people: nothing is decided by it. */
  readonly since: string;
}

/**
 * Records that a task is about to step one after another, after a life that ended without a commit: [`from`, `to`).
 * Written before the step, so that a record on which the process dies is known by its offset.
 */
export interface Attempt {
  readonly from: number;
  readonly to: number;
  /** How often the process has died, or is dying, in the step of these records. */
  readonly deaths: number;
}

/** What `millrace-progress` says of a task besides its progress. */
export interface Standing {
  readonly hold: Hold | null;
  /** Token of the life that wrote the newest claim or progress; commands are left out. Null when none was found. */
  readonly owner: string | null;
  /** Whether the newest claim is a command's, such as `recover`. */
  readonly byCommand: boolean;
  /** What the owner's claim says if it has committed nothing since; null when it has. */
  readonly uncommitted: { readonly attempt: Attempt | null } | null;
}

/** First characters of a command's token. */
const COMMAND = "command/";

/** A claim token of a command. */
export function commandToken(token: string): string {
  return COMMAND + token;
}

export function isCommandToken(token: string): boolean {
  return token.startsWith(COMMAND);
}

/** What one life of a task writes. The task makes one call at a time; after a rejection only `discard` may follow. */
export interface TaskOutput {
  /** Before step 1: who holds or owns the task. Writes nothing and fences nobody. */
  standing(): Promise<Standing>;
  /** Writes a command's hold, or takes it away. Independent of transactions; fences nobody. */
  hold(hold: Hold | null): Promise<void>;
  /** Step 1. When it resolves, no older owner of this partition can commit, and its open transaction has ended. */
  fence(): Promise<void>;
  /**
   * Step 2. Commits a claim record that carries `token`. Called again before a task stops with a named error.
   *
   * @param attempt What an owner attempted that has committed nothing since.
   * @returns The last progress that the task committed before the claim, or null.
   */
  claim(token: string, attempt?: Attempt | null): Promise<Progress | null>;
  /** Step 5, after a life without a commit: commits what is about to be stepped. No transaction may be open. */
  attempt(attempt: Attempt): Promise<void>;
  /** Step 5. Writes records inside the open transaction, or opens one. Uncommitted readers see them at once. */
  send(outputs: readonly OutputRecord[]): Promise<void>;
  /**
   * Step 5. Writes `last` and the progress record; commits everything since the last commit.
   *
   * @param withGroupOffset Whether the group's offset is written, too. Only lag tools read it. @default true
   */
  commit(progress: Progress, last: readonly OutputRecord[], withGroupOffset?: boolean): Promise<void>;
  /** Throws the producer away without aborting or committing. Never rejects, may be called twice. */
  discard(): Promise<void>;
}

/** One generation of snapshot segments: `parts` items. Their keys hold task, owner, generation and part number. */
export interface SegmentGroup {
  readonly generation: number;
  /** Token of the owner that wrote them. */
  readonly owner: string;
  readonly parts: number;
  readonly bytes: number;
}

/** Names the segments of a task's newest snapshot, and says what they cover. */
export interface Manifest {
  /** Grows by one with every write. The next write names it as its condition. */
  readonly version: number;
  /** Token of the owner that wrote it. */
  readonly owner: string;
  /** Layout of manifest and segments, see `SNAPSHOT_LAYOUT`. */
  readonly layout: number;
  /** How far the state in the segments is. Null when only a claim was written so far. */
  readonly covers: Omit<Progress, "failed"> | null;
  /** Ascending by generation. */
  readonly segments: readonly SegmentGroup[];
}

/** Where snapshots of tasks are kept. It never decides what was committed. */
export interface SnapshotStore {
  /** The manifest as last written (a consistent read), or null. */
  readManifest(task: string): Promise<Manifest | null>;
  /**
   * Writes `next` if the stored manifest has the version and the owner of `expected`. With null, writes if there is no
   * manifest.
   *
   * @returns Whether the condition held, and so whether `next` was written.
   */
  writeManifest(task: string, next: Manifest, expected: Pick<Manifest, "version" | "owner"> | null): Promise<boolean>;
  /** Stores a segment of at most `SEGMENT_BYTES`. */
  putSegment(task: string, key: SegmentKey, bytes: Uint8Array): Promise<void>;
  /** The bytes as they were put. Null when the item is gone or does not match its checksum. */
  getSegment(task: string, key: SegmentKey): Promise<Uint8Array | null>;
  deleteSegment(task: string, key: SegmentKey): Promise<void>;
}

/** Where one segment of a task is stored. */
export interface SegmentKey {
  readonly owner: string;
  readonly generation: number;
  /** Number within the generation, from 0. */
  readonly part: number;
}

/** Clock, timers, randomness, and work off the main thread. */
export interface Runtime {
  /** Milliseconds of a clock that never goes back. Only differences mean something. */
  now(): number;
  sleep(ms: number): Promise<void>;
  /** A token that is unique in the world. */
  token(): string;
  /** Compresses, see `SNAPSHOT_LAYOUT`. */
  compress(bytes: Uint8Array): Promise<Uint8Array>;
  /** Gives back what was compressed, in any layout that this version reads. */
  decompress(bytes: Uint8Array): Promise<Uint8Array>;
}

/** Which partitions of the source topic this process works on, as its consumer group decides. */
export interface Membership {
  /** Joins the group and calls `listener` from then on. The first assignment may come before this resolves. */
  join(listener: MembershipListener): Promise<void>;
  /** Leaves the group, so that others get the partitions at once. */
  leave(): Promise<void>;
  /**
   * Blocks until the coordinator has confirmed the current assignment.
   *
   * @returns False when the assignment changed first, or when this process is no member.
   */
  confirm(): Promise<boolean>;
}

/** Called by a `Membership`. No method may block. */
export interface MembershipListener {
  /** After every rebalance, with the whole assignment. */
  onAssigned(partitions: readonly number[]): void;
  /** When a rebalance begins. */
  onRebalancing(): void;
  /** When the membership can't be had again, after an authorization failure for example. The process should end. */
  onLost(error: unknown): void;
}

/** The ports of one life of a task. */
export interface TaskPorts {
  readonly input: TaskInput;
  readonly output: TaskOutput;
  readonly snapshots: SnapshotStore;
}

/** Receives what the engine reports, for logs and metrics. No method may block or throw. */
export interface EngineObserver {
  log(level: "debug" | "info" | "warn" | "error", fields: Record<string, unknown>, message: string): void;
  /** A transaction is committed. `latencyMs` is the time that the commit took; `lag` is in offsets. */
  committed(
    task: string,
    facts: {
      readonly nextOffset: number;
      readonly latencyMs: number;
      readonly lag: number;
      /** Time since the cut before, or since the life began to run. */
      readonly intervalMs?: number;
      /** The first record of the step that gave the transaction its first output; absent when none did. */
      readonly first?: InputRecord | undefined;
    },
  ): void;
  /** The task has caught up with its progress. What `machine` counts from here on is new. */
  running?(task: string, machine: StateMachine): void;
  /** The lag of a task that may commit nothing, in offsets. */
  lag?(task: string, offsets: number): void;
  /** Outputs that wait for a transaction, and their bytes. `paused`: reading stops until they are fewer. */
  waiting?(task: string, facts: { readonly outputs: number; readonly bytes: number; readonly paused: boolean }): void;
  /** The task stopped with a named error (true), or begins again (false). */
  stopped?(task: string, isStopped: boolean): void;
  /** A batch is processed; its outputs are not committed yet. */
  stepped(task: string, records: number, outputs: readonly OutputRecord[]): void;
  /** A manifest is written. `bytes` is the size of all segments that it names. */
  snapshotWritten(task: string, facts: { readonly bytes: number; readonly milliseconds: number }): void;
  /** An attempt to write a snapshot failed; another one follows. */
  snapshotFailed?(task: string): void;
  /** A life of the task ended with an uncertain outcome; another one follows. */
  restarted(task: string, error: unknown): void;
  /** The first output of a life is written, `milliseconds` after the life began. */
  recovered(task: string, milliseconds: number): void;
  /** The task does not run in this process any more. */
  ended?(task: string): void;
}
