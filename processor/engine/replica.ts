import { MillraceError } from "../../domain/errors.ts";
import { type Failure, failureId, StepFailed, type MachineFactory, type StateMachine } from "../runtime/machine.ts";
import { catchUp } from "./catch-up.ts";
import { modelLost } from "./needs-recovery.ts";
import type { EngineObserver, TaskInput } from "./ports.ts";
import type { Snapshots } from "./snapshots.ts";
import { checkCaughtUp, type Committed } from "./starting-point.ts";

/** Failed records that a progress record names. A restart that steps an older one finds out again that it fails. */
const MAX_FAILED = 1_000;

interface ReplicaParts {
  readonly task: string;
  readonly partition: number;
  readonly factory: MachineFactory;
  readonly input: TaskInput;
  readonly snapshots: Snapshots;
  readonly observer: EngineObserver;
  /** Offset at which an empty state begins. */
  readonly origin: number;
  /** See `Progress`. */
  readonly before: string | undefined;
  /** Where the pipeline's code threw, by `failureId`. `recordFailure` adds to it. */
  readonly failures: Map<string, Failure>;
  /** Whether the task is to end: building then ends early. */
  readonly stopping: () => boolean;
}

/** A task's state machine. Builds it, and builds it again, from the newest snapshot and the log. */
export class Replica {
  readonly #parts: ReplicaParts;
  #machine: StateMachine | null = null;

  constructor(parts: ReplicaParts) {
    this.#parts = parts;
  }

  /** The machine that was built last. @throws Error when `build` has not finished. */
  get machine(): StateMachine {
    if (!this.#machine) throw new Error(`${this.#parts.task}: the state is not built yet`);
    return this.#machine;
  }

  /** The failures that belong into a progress record: those of steps that a restart would do again. */
  failed(): Failure[] {
    const { failures, snapshots, origin } = this.#parts;
    const from = snapshots.manifest.covers?.nextOffset ?? origin;
    for (const [id, { offset }] of failures) if (offset < from) failures.delete(id); // no step that comes again
    return [...failures.values()]
      .filter(({ offset }) => offset < this.machine.nextOffset)
      .sort((a, b) => a.offset - b.offset)
      .slice(-MAX_FAILED);
  }

  /**
   * Steps 3 and 4: loads the state at S, runs [S, `reached`) again, checks the chain, and leaves the input at
   * `reached`, or at S when that is null. Begins again after each record on which the pipeline's code throws. Returns
   * early, without a machine, when the task is stopping.
   *
   * @throws MillraceError `replay-diverged`, `committed-by-other-code`, `step-failed-again`; what the ports throw
   */
  async build(reached: Committed | null): Promise<void> {
    this.#machine = null;
    for (let built = false; !built && !this.#parts.stopping();) {
      try {
        await this.#buildOnce(reached);
        built = true;
      } catch (error) {
        if (!(error instanceof StepFailed)) throw error;
        this.recordFailure(error);
      }
    }
  }

  /**
   * Logs that the pipeline's code threw on a record. The next machine makes a dead letter of that record.
   *
   * @throws MillraceError `step-failed-again` when it was to be a dead letter already
   */
  recordFailure(error: StepFailed): void {
    const { task, failures, observer } = this.#parts;
    const { offset, key, message, traceId } = error;
    observer.log(
      "error",
      { task, offset, traceId, ...(key === null ? {} : { key }), err: error },
      key === null
        ? "the pipeline's code failed on a record, which goes to the dead letters"
        : "the pipeline's code failed on what a key had open, which is dropped",
    );
    if (failures.has(failureId(error)))
      throw new MillraceError(
        "step-failed-again",
        `${task}: the record at offset ${error.offset} fails even as a dead letter: ${error.message}`,
        { cause: error },
      );
    failures.set(failureId(error), { offset, key, message });
  }

  /**
   * Notes that a model was refused, for progress. Below `committed` that was decided otherwise: then the model's files
   * were lost since.
   */
  #refused(failure: Failure, committed: number): void {
    const { task, failures, observer } = this.#parts;
    if (failure.offset < committed) throw modelLost(task, failure);
    observer.log("error", { task, offset: failure.offset, reason: failure.message }, "a model record is refused");
    failures.set(failureId(failure), failure);
  }

  async #buildOnce(reached: Committed | null): Promise<void> {
    const { task, partition, factory, input, snapshots, failures, origin, before, stopping } = this.#parts;
    const covers = snapshots.manifest.covers;
    const machine = await factory.create({
      partition,
      restored: covers ? { nextOffset: covers.nextOffset, chain: covers.chain, entries: await snapshots.load() } : null,
      failures,
      refused: (failure) => this.#refused(failure, reached?.nextOffset ?? 0),
      before,
    });
    const from = covers?.nextOffset ?? origin;
    const nextOffset = await catchUp(machine, input, { from, until: reached?.nextOffset ?? from }, stopping);
    if (stopping()) return;
    if (reached) {
      checkCaughtUp(task, reached, { nextOffset, chain: machine.chain, fingerprint: factory.fingerprint });
      input.seek(reached.nextOffset);
    }
    this.#machine = machine;
  }
}
