import { ProblemError } from "./problems.ts";

/** Reads from a component; when that fails the client is told 503, with the component's name. */
export async function readable<T>(component: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    throw cause instanceof ProblemError
      ? cause
      : new ProblemError("unavailable", `${component} does not answer`, { cause, headers: { "retry-after": "2" } });
  }
}
