import { ServiceError, validationError } from "./service-error.ts";

/**
 * Parses the body of a call in AWS JSON 1.1.
 *
 * @throws ServiceError `SerializationException`
 */
export function parseBody(text: string): Record<string, unknown> {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === "object" && body !== null && !Array.isArray(body)) return body as Record<string, unknown>;
  } catch {
    // Not JSON: the same error as below.
  }
  throw new ServiceError("SerializationException", 400, "the body is not a JSON object");
}

/** A `ValidationException` in the words of the services. */
export const constraintError = (member: string, constraint: string): ServiceError =>
  validationError(`Value at '${member}' failed to satisfy constraint: Member must ${constraint}`);
