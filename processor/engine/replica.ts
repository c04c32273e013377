import { MillraceError } from "../../domain/errors.ts";
import { stepAll, StepFailed, type MachineFactory, type StateMachine } from "../runtime/machine.ts";
import type { EngineObserver, TaskInput } from "./ports.ts";
import type { Snapshots } from "./snapshots.ts";
import { checkCaughtUp } from "./starting-point.ts";

const READ_WAIT_MS = 500;
/** Failed records that a progress record names; older ones are found anew when they are stepped again. */
const MAX_FAILED = 1_000;

interface ReplicaParts {
  readonly task: string;
  readonly partition: number;
  readonly factory: MachineFactory;
  readonly input: TaskInput;
  readonly snapshots: Snapshots;
  readonly observer: EngineObserver;
  /** Offset of an empty state. */
  readonly origin: number;
  /** Records that our own code failed on, by offset, with the message of the failure. Grows. */
  readonly failed: Map<number, string>;
  stopping(): boolean;
}

/** A task's state machine, and how to build it (again) from the newest snapshot and the log. */
export class Replica {
  readonly #p: ReplicaParts;
  #machine: StateMachine | null = null;

  constructor(parts: ReplicaParts) {
    this.#p = parts;
  }

  get machine(): StateMachine {
    if (!this.#machine) throw new Error(`${this.#p.task}: the state is not built yet`);
    return this.#machine;
  }

  /** What progress records carry of the failed records: those that a restart would step again. */
  failed(): [number, string][] {
    const from = this.#p.snapshots.manifest.covers?.nextOffset ?? this.#p.origin;
    return [...this.#p.failed]
      .filter(([offset]) => offset >= from && offset < this.machine.nextOffset)
      .sort(([a], [b]) => a - b)
      .slice(-MAX_FAILED);
  }

  /**
   * Steps 3 and 4: loads the state at S, runs [S, `reached`) again with outputs suppressed, checks the chain, and
   * leaves the input at `reached` (null: at S). A record that our own code fails on is noted, and all begins again.
   * Returns early, with no machine, when the task is stopping.
   */
  async build(
    reached: { readonly nextOffset: number; readonly chain: string; readonly fingerprint: string } | null,
  ): Promise<void> {
    this.#machine = null;
    for (let built = false; !built && !this.#p.stopping();) {
      try {
        await this.#buildOnce(reached);
        built = true;
      } catch (error) {
        if (!(error instanceof StepFailed)) throw error;
        this.note(error);
      }
    }
  }

  /** Our own code threw on a record: an alarm, and from now on the record is one for the dead letters. */
  note(error: StepFailed): void {
    const { task, failed, observer } = this.#p;
    observer.log(
      "error",
      { task, offset: error.offset, err: error },
      "our own code failed on a record; it goes to the dead letters",
    );
    if (failed.has(error.offset))
      throw new MillraceError(
        "step-failed-again",
        `${task}: the record at offset ${error.offset} fails even as a dead letter: ${error.message}`,
        { cause: error },
      );
    failed.set(error.offset, error.message);
  }

  async #buildOnce(
    reached: { readonly nextOffset: number; readonly chain: string; readonly fingerprint: string } | null,
  ): Promise<void> {
    const { task, partition, factory, input, snapshots, failed, origin } = this.#p;
    const covers = snapshots.manifest.covers;
    const machine = await factory.create({
      partition,
      restored: covers ? { nextOffset: covers.nextOffset, chain: covers.chain, entries: await snapshots.load() } : null,
      failedOffsets: failed,
    });
    const from = covers?.nextOffset ?? origin;
    input.seek(from);
    if (reached && reached.nextOffset > from) await this.#run(machine, reached.nextOffset);
    if (this.#p.stopping()) return;
    if (reached) {
      checkCaughtUp(task, reached, {
        nextOffset: Math.max(machine.nextOffset, from),
        chain: machine.chain,
        fingerprint: factory.fingerprint,
      });
      input.seek(reached.nextOffset);
    }
    this.#machine = machine;
  }

  async #run(machine: StateMachine, until: number): Promise<void> {
    while (machine.nextOffset < until && !this.#p.stopping()) {
      const records = await this.#p.input.read(READ_WAIT_MS);
      const wanted = records.filter(({ offset }) => offset < until);
      await stepAll(machine, wanted);
      if (wanted.length < records.length) return;
    }
  }
}
