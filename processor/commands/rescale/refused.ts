import { MillraceError } from "../../../domain/errors.ts";

/** The error of a rescale that has changed nothing: what stands in its way. */
export function refused(message: string): MillraceError {
  return new MillraceError("rescale-refused", message);
}
