import { MillraceError, type ErrorCode } from "../../domain/errors.ts";
import type { Failure } from "../runtime/machine.ts";

/** A model was taken, and that is committed; catching up, the task can't have it again. */
export function modelLost(task: string, { offset, message }: Failure): MillraceError {
  const problem = `the model record at offset ${offset} was taken by whoever committed it, but now: ${message}. `;
  return needsRecovery("model-refused", task, `${problem}Put its files back into the store`);
}

/** An error that stops a task until somebody recovers it. Its message names the command that does. */
export function needsRecovery(code: ErrorCode, task: string, problem: string, cause?: unknown): MillraceError {
  return new MillraceError(code, `${task}: ${problem}; see \`npm run recover -- --task ${task}\``, { cause });
}
