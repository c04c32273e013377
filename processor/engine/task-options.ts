/** Timing of a task. */
export interface TaskOptions {
  /** Time between two commits. */
  readonly commitIntervalMs: number;
  /** Time between two snapshots. */
  readonly snapshotIntervalMs: number;
  /** Longest time that a hand-over may take. */
  readonly handOverMs: number;
  /** First and longest wait after an uncertain outcome, before the next life. It doubles. */
  readonly backoffMs: { readonly first: number; readonly most: number };
}

/** What a processor uses that sets no options. */
export const defaultTaskOptions: TaskOptions = {
  commitIntervalMs: 100,
  snapshotIntervalMs: 10_000,
  handOverMs: 10_000,
  backoffMs: { first: 100, most: 10_000 },
};
