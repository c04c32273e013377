import type { StateMachine } from "../runtime/machine.ts";
import type { TaskInput } from "./ports.ts";
import { stepSome } from "./step-some.ts";

/** How long one read waits. Only a stopping task notices how long it is. */
const READ_WAIT_MS = 500;

/**
 * Step 4: runs the records of [`from`, `until`) through a machine and drops the outputs. Ends early when `stopping`
 * says so, and when it reads a record at or behind `until`: offsets have gaps, so there may be none right before it.
 *
 * @returns The offset that was reached: of the next record to process.
 * @throws StepFailed, MillraceError, see `stepSome`; what reading throws
 */
export async function catchUp(
  machine: StateMachine,
  input: TaskInput,
  { from, until }: { readonly from: number; readonly until: number },
  stopping: () => boolean = () => false,
): Promise<number> {
  const reached = (): number => Math.max(machine.nextOffset, from);
  input.seek(from);
  while (reached() < until && !stopping()) {
    const records = await input.read(READ_WAIT_MS);
    const wanted = records.filter(({ offset }) => offset < until);
    for (let left = wanted; left.length > 0;) left = left.slice((await stepSome(machine, left, () => false)).stepped);
    if (wanted.length < records.length) break;
  }
  return reached();
}
