import { MillraceError } from "../../domain/errors.ts";
import { StepFailed, type InputRecord, type OutputRecord, type StateMachine } from "../runtime/machine.ts";

/** What was stepped, at least one record. */
export interface Stepped {
  readonly outputs: readonly OutputRecord[];
  /** Number of records. */
  readonly stepped: number;
  /** Whether `settle` has decided something that the log does not say, such as whether a model is taken. */
  readonly decided: boolean;
}

/**
 * Steps records in order until there are no more, `isEnough` says so, or `settle` decides something; at least one.
 * Settles, and gives the outputs.
 *
 * @throws StepFailed when our own code threw, see `StateMachine.step`; MillraceError when it threw that: a record that
 *   this version must not step, such as a control record of an unknown type
 */
export async function stepSome(
  machine: StateMachine,
  records: readonly InputRecord[],
  isEnough: () => boolean,
): Promise<Stepped> {
  let stepped = 0;
  try {
    do machine.step(records[stepped++]!);
    while (stepped < records.length && !machine.mustSettle && !isEnough());
    const decided = machine.mustSettle;
    return { outputs: await machine.settle(), stepped, decided };
  } catch (error) {
    throw error instanceof StepFailed && error.cause instanceof MillraceError ? error.cause : error;
  }
}
