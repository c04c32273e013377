import { setTimeout as delay } from "node:timers/promises";
import { inspect } from "node:util";

/** The first pause is short for what happens in memory; each pause is twice the one before. */
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 50;
const LIMIT_MS = 30_000;

interface Waiting<T> {
  /** Which result ends the wait. @default any */
  readonly until?: (value: T) => boolean;
  /** Checked between looks: a look that hangs is not cut off. @default 30 seconds */
  readonly limitMs?: number;
  /** Longest pause between two looks. @default 50 milliseconds */
  readonly pauseMs?: number;
}

/**
 * Looks again and again until `look` no longer throws and its result satisfies `until`, and returns that result.
 *
 * @throws When the limit has passed, with what the last look returned or threw.
 */
export async function eventually<T>(
  look: () => T | Promise<T>,
  { until = () => true, limitMs = LIMIT_MS, pauseMs = LONGEST_PAUSE_MS }: Waiting<T> = {},
): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (let nextMs = FIRST_PAUSE_MS; ; nextMs = Math.min(2 * nextMs, pauseMs)) {
    let seen: { value: T } | { error: unknown };
    try {
      const value = await look();
      if (until(value)) return value;
      seen = { value };
    } catch (error) {
      seen = { error };
    }
    if (performance.now() > deadline) throw notWithin(limitMs, seen);
    await delay(nextMs);
  }
}

function notWithin(limitMs: number, seen: { value: unknown } | { error: unknown }): Error {
  const within = `not within ${limitMs / 1_000} s`;
  if ("value" in seen) return new Error(`${within}; last seen: ${inspect(seen.value, { depth: 4 }).slice(0, 2_000)}`);
  const { error } = seen;
  return new Error(`${within}; last seen: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
}
