import fc from "fast-check";
import { type LogRecord, replayLine } from "./log.ts";
import type { Stream } from "./streams.ts";

/** A stream as a person wants to read it: a line per record, the samples only counted. */
export function readable({ settings, flush, log }: Stream): string {
  return [JSON.stringify(settings), `flush: ${flush}`, ...log.map(recordLine)].join("\n");
}

function recordLine(record: LogRecord): string {
  try {
    const value = record.value === null ? null : (JSON.parse(Buffer.from(record.value).toString("utf8")) as { samples?: unknown } | null);
    return JSON.stringify({ ...record, value: Array.isArray(value?.samples) && value.samples.length > 0 ? { ...value, samples: `${value.samples.length} rows` } : value });
  } catch {
    return replayLine(record);
  }
}

/**
 * Looks for a stream for which `problem` names one; fails with the smallest one found and the seed that leads to it.
 * With the environment variable `SEED` set to a printed seed, the same streams come again.
 */
export async function holdsForStreams(streams: fc.Arbitrary<Stream>, runs: number, problem: (stream: Stream) => Promise<string | undefined>): Promise<void> {
  const property = fc.asyncProperty(streams, async (stream) => (await problem(stream)) === undefined);
  const given = process.env["SEED"];
  const result = await fc.check(property, { numRuns: runs, endOnFailure: false, interruptAfterTimeLimit: 8_000, ...(given === undefined ? {} : { seed: Number(given) }) });
  if (!result.failed || result.counterexample === null) return;
  const [stream] = result.counterexample;
  throw new Error(`seed ${result.seed} (SEED=${result.seed} runs it again), after ${result.numRuns} streams and ${result.numShrinks} shrinks:\n${await problem(stream)}\n${readable(stream)}`);
}
