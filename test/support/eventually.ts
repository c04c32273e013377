import { setTimeout as delay } from "node:timers/promises";

/** Tries again until the assertions hold, and throws the last failure when they don't within the limit. */
export async function eventually<T>(assertions: () => T | Promise<T>, limitMs = 30_000): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    try {
      return await assertions();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await delay(50);
    }
  }
}
