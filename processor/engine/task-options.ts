/** Timing and bounds of a task. */
export interface TaskOptions {
  /** Least time between two commits. At most a quarter of `transactionTimeoutMs` counts. */
  readonly commitIntervalMs: number;
  /** Transactions a second of all tasks of the process together, see `CommitBudget`. */
  readonly transactionsPerSecond: number;
  /** Time between two commits of a task without outputs. */
  readonly progressIntervalMs: number;
  /** The coordinator aborts a transaction that is open for longer. A dead owner's holds up readers as long. */
  readonly transactionTimeoutMs: number;
  /** Time between two snapshots. */
  readonly snapshotIntervalMs: number;
  /** Longest time that a hand-over may take. */
  readonly handOverMs: number;
  /** First and longest wait between two lives. It doubles until a life has committed something. */
  readonly backoffMs: { readonly first: number; readonly most: number };
  /** Outputs of a task that may wait for a transaction. Above it, the task reads no more. */
  readonly maxUnsentOutputs: number;
  /** Their bytes, likewise. */
  readonly maxUnsentBytes: number;
  /** The bytes of all tasks of the process together, likewise. A task without waiting outputs may always read. */
  readonly maxProcessUnsentBytes: number;
  /** How often the process may die in the step of a record before its partition stops. */
  readonly maxDeathsInStep: number;
}

/** The part of the transaction timeout that may pass between two commits. */
const COMMIT_PART = 1 / 4;

/** What a processor uses that sets no options. */
export const defaultTaskOptions: TaskOptions = {
  commitIntervalMs: 100,
  transactionsPerSecond: 20,
  progressIntervalMs: 10_000,
  transactionTimeoutMs: 15_000,
  snapshotIntervalMs: 10_000,
  handOverMs: 10_000,
  backoffMs: { first: 100, most: 10_000 },
  maxUnsentOutputs: 20_000,
  maxUnsentBytes: 8_000_000,
  maxProcessUnsentBytes: 64_000_000,
  maxDeathsInStep: 3,
};

/** Longest time that outputs may be open before their commit begins: a batch is cut there. */
export function mostBetweenCommitsMs({ transactionTimeoutMs }: TaskOptions): number {
  return transactionTimeoutMs * COMMIT_PART;
}
