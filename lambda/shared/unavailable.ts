import { ProblemError } from "./problems.ts";

/**
 * Reads from a component.
 *
 * @throws ProblemError `unavailable`, which names the component, when `read` fails; its own `ProblemError` otherwise
 */
export async function readable<T>(component: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    throw cause instanceof ProblemError
      ? cause
      : new ProblemError("unavailable", `${component} does not answer`, { cause, headers: { "retry-after": "2" } });
  }
}
