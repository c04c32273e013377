import fc from "fast-check";
import { type LogRecord, replayLine } from "./log.ts";
import type { Stream } from "./streams.ts";

/** How long one property searches for a counterexample: all of them together stay under a minute. */
const TIME_LIMIT_MS = 8_000;
/** With the environment variable `SEARCH_SECONDS`, each property searches that long, with any number of values. */
const searchSeconds = Number(process.env["SEARCH_SECONDS"] ?? 0);
/** With `SEARCH_RUNS`, each property tries that many values, however long it takes: a slow machine finds the same. */
const searchRuns = Number(process.env["SEARCH_RUNS"] ?? 0);

/** Jest's limit for a test of one property. */
export const PROPERTY_TIMEOUT_MS = 60_000 + 4_000 * searchSeconds;

/** A stream for a person to read: a line per record, with the number of its samples only. */
export function readable({ settings, flush, log }: Stream): string {
  return [JSON.stringify(settings), `flush: ${flush}`, ...log.map(recordLine)].join("\n");
}

function recordLine(record: LogRecord): string {
  try {
    const value =
      record.value === null
        ? null
        : (JSON.parse(Buffer.from(record.value).toString("utf8")) as { samples?: unknown } | null);
    return JSON.stringify({
      ...record,
      value:
        Array.isArray(value?.samples) && value.samples.length > 0
          ? { ...value, samples: `${value.samples.length} rows` }
          : value,
    });
  } catch {
    return replayLine(record);
  }
}

/**
 * Searches for a value for which `problem` returns a problem; fails with the smallest one found and its seed. With the
 * environment variable `SEED` set to a printed seed, the same values come again.
 */
export async function holds<T>(
  values: fc.Arbitrary<T>,
  runs: number,
  show: (value: T) => string,
  problem: (value: T) => Promise<string | undefined>,
): Promise<void> {
  const property = fc.asyncProperty(values, async (value) => (await problem(value)) === undefined);
  const given = process.env["SEED"];
  const result = await fc.check(property, {
    ...(searchRuns > 0 ? { numRuns: searchRuns } : searchFor(runs)),
    ...(given === undefined ? {} : { seed: Number(given) }),
  });
  if (!result.failed || result.counterexample === null) return;
  const [value] = result.counterexample;
  const { seed, numRuns, numShrinks } = result;
  const where = `seed ${seed} (SEED=${seed} runs it again), after ${numRuns} runs and ${numShrinks} shrinks`;
  throw new Error(`${where}:\n${await problem(value)}\n${show(value)}`);
}

function searchFor(runs: number): { readonly numRuns: number; readonly interruptAfterTimeLimit: number } {
  if (searchSeconds > 0) return { numRuns: 1e9, interruptAfterTimeLimit: 1_000 * searchSeconds };
  return { numRuns: runs, interruptAfterTimeLimit: TIME_LIMIT_MS };
}

/** `holds` for streams. */
export async function holdsForStreams(
  streams: fc.Arbitrary<Stream>,
  runs: number,
  problem: (stream: Stream) => Promise<string | undefined>,
): Promise<void> {
  await holds(streams, runs, readable, problem);
}
