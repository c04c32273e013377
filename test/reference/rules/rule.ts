import { defaultSemantics, type Semantics } from "../../../domain/semantics.ts";
import { MAX_EPOCH_MS } from "../../../domain/time.ts";
import type { LogRecord, Output } from "../log.ts";

/** One rule of the semantics as an example small enough to be calculated by hand. */
export interface Rule {
  /** A sentence, which is the rule's row in `docs/semantics.md`. */
  readonly name: string;
  readonly settings?: Partial<Semantics>;
  readonly log: readonly Entry[];
  readonly flush?: boolean;
  /** Only output lines that match are compared. @default all */
  readonly about?: RegExp;
  /** What to compare of an output. @default its line */
  readonly show?: (output: Output) => string;
  readonly expected: readonly string[];
  /** Messages dropped as duplicates. @default not compared */
  readonly duplicates?: number;
}

/** The settings of the examples, unless an example changes them. */
export const exampleSettings: Semantics = {
  ...defaultSemantics,
  windowMs: 1_000,
  slideMs: 1_000,
  allowedLatenessMs: 5_000,
  outOfOrdernessMs: 500,
  sessionGapMs: 2_000,
  idleTimeoutMs: 10_000,
  futureGuardMs: 1_000,
  earliestTimeMs: -MAX_EPOCH_MS,
  transformedFormat: "json",
};

/** A record of an example's log: offsets are counted, per partition. */
export type Entry = Omit<LogRecord, "offset">;
interface DataOptions {
  /** The record's timestamp; the last sample's time by default. */
  readonly at?: number;
  readonly boot?: string;
  readonly partition?: number;
  readonly samples?: number[][];
}
/** A row whose magnitudes are integers: |a| = 3, |ω| = 7. */
export const row = [1, 2, 2, 2, 3, 6];

/** A message with one sample at each of the times. */
export function data(sensorId: string, seq: number, t: number[], options: DataOptions = {}): Entry {
  const { at = t.at(-1)!, boot, partition = 0, samples = t.map(() => row) } = options;
  return raw(sensorId, at, JSON.stringify({ seq, boot, t, samples }), {}, partition);
}

export function tick(timestamp: number, partition = 0): Entry {
  return { partition, timestamp, key: null, value: null, headers: { type: "tick" } };
}

/** A settings record: the settings of the examples, with what is given. */
export function settings(timestamp: number, given: Partial<Semantics>, change?: string): Entry {
  const header = { type: "settings", settings: JSON.stringify({ ...exampleSettings, ...given }) };
  return raw(null, timestamp, null, change === undefined ? header : { ...header, change });
}

/** A record with any value. */
export function raw(
  key: string | null,
  timestamp: number,
  value: string | Uint8Array | null,
  headers: Record<string, string> = {},
  partition = 0,
): Entry {
  return { partition, timestamp, key, value: typeof value === "string" ? Buffer.from(value) : value, headers };
}

/** Numbers the records of each partition from 0. */
export function numbered(entries: readonly Entry[]): LogRecord[] {
  const next = new Map<number, number>();
  return entries.map((entry) => {
    const offset = next.get(entry.partition) ?? 0;
    next.set(entry.partition, offset + 1);
    return { ...entry, offset };
  });
}
