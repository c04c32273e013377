import { MillraceError } from "../../../domain/errors.ts";

/** The error of a rescale that has changed nothing. The message says what prevents it. */
export function refused(message: string): MillraceError {
  return new MillraceError("rescale-refused", message);
}
