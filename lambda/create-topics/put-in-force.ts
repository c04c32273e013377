import { setTimeout as delay } from "node:timers/promises";
import { MillraceError } from "../../domain/errors.ts";
import type { Semantics } from "../../domain/semantics.ts";
import type { Milliseconds } from "../../domain/time.ts";

/** Between two looks whether every task reads settings records. */
const PAUSE_MS = 10_000;

/**
 * Puts settings in force. After a deployment the tasks of the version before may have written the last progress: until
 * each task of the new one has, the change is refused, and tried again.
 *
 * @param apply Appends the change, or refuses it; see `applySettings`.
 * @param remainingMs Time that is left for all of it.
 * @throws MillraceError `settings-refused` when the time is over
 */
export async function putInForce<T>(
  apply: (settings: Semantics) => Promise<T>,
  settings: Semantics,
  remainingMs: () => Milliseconds,
  pauseMs: Milliseconds = PAUSE_MS,
): Promise<T> {
  for (;;) {
    try {
      return await apply(settings);
    } catch (error) {
      const mayPass = error instanceof MillraceError && error.code === "settings-refused";
      if (!mayPass || remainingMs() < 3 * pauseMs) throw error;
    }
    await delay(pauseMs);
  }
}
