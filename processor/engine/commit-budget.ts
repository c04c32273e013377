/**
 * The transactions of a process, shared by its tasks: gives each commit a time of its own, so that they are spread. A
 * process that runs more tasks than its budget has transactions a second gives each task one a second.
 */
export class CommitBudget {
  readonly #perSecond: number;
  #tasks = 0;
  /** The first time that is not given away. */
  #next = -Infinity;

  /** @param perSecond Transactions a second of all tasks together. */
  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** A task begins to run. @returns Says that it has ended. */
  join(): () => void {
    this.#tasks++;
    return () => void this.#tasks--;
  }

  /** When a task may commit: in turn, at or after `earliest`, and whatever the budget says not after `latest`. */
  take(earliest: number, latest: number): number {
    const at = Math.max(earliest, Math.min(latest, this.#next));
    this.#next = Math.max(this.#next, at + 1_000 / Math.max(this.#perSecond, this.#tasks));
    return at;
  }
}
