import { MillraceError } from "../../domain/errors.ts";
import { StepFailed, type InputRecord, type OutputRecord, type StateMachine } from "../runtime/machine.ts";

/**
 * Steps records in order until there are no more or `isEnough` says so, at least one; settles, and gives the outputs
 * with the number of records that were stepped.
 *
 * @throws StepFailed when our own code threw, see `StateMachine.step`; MillraceError when it threw that: a record that
 *   this version must not step, such as a control record of an unknown type
 */
export async function stepSome(
  machine: StateMachine,
  records: readonly InputRecord[],
  isEnough: () => boolean,
): Promise<{ readonly outputs: readonly OutputRecord[]; readonly stepped: number }> {
  const outputs: OutputRecord[] = [];
  let stepped = 0;
  try {
    while (stepped < records.length && (stepped === 0 || !isEnough())) {
      if (machine.mustSettle) for (const output of await machine.settle()) outputs.push(output);
      machine.step(records[stepped++]!);
    }
    const last = await machine.settle();
    if (outputs.length === 0) return { outputs: last, stepped };
    for (const output of last) outputs.push(output);
    return { outputs, stepped };
  } catch (error) {
    throw error instanceof StepFailed && error.cause instanceof MillraceError ? error.cause : error;
  }
}
