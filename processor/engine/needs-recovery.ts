import { MillraceError, type ErrorCode } from "../../domain/errors.ts";

/** An error that stops a task until somebody recovers it. Its message names the command that does. */
export function needsRecovery(code: ErrorCode, task: string, problem: string, cause?: unknown): MillraceError {
  return new MillraceError(code, `${task}: ${problem}; see \`npm run recover -- --task ${task}\``, { cause });
}
