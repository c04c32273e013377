import type { Cause } from "../../domain/records.ts";
import type { EpochMs } from "../../domain/time.ts";
import type { Model } from "../inference/model.ts";
import type { Scoring } from "../inference/scoring.ts";
import type { Reader, Writer } from "./codec.ts";
import type { Emitter } from "./emitter.ts";
import type { Generations } from "./generations.ts";
import type { Keyed } from "./keyed.ts";
import type { StateEntry } from "./machine.ts";
import type { Message } from "./message.ts";

/** Counts what happened; the names are those of domain/metrics. */
export interface Figures {
  readings: number;
  duplicates: number;
  deadLetters: number;
  lateReadings: number;
  windows: number;
  sessionsStarted: number;
  sessionsEnded: number;
  inferences: number;
}

/** What a operator has at hand in a step. */
export interface StepContext {
  readonly out: Emitter;
  readonly figures: Figures;
  readonly generations: Generations;
  readonly scoring: Scoring;
}

/**
 * One operator of the path, with state per key of type S. The machine calls `apply` for an accepted message, judged by
 * the watermark before it; then, when the watermark has moved, `release` of all operators and `fire` of all operators,
 * in the order of the path; at idle and at the end of input the same two with `upTo` infinite.
 */
export interface Operator<S = unknown> {
  readonly name: string;
  /** Version of what `encode` writes. */
  readonly layout: number;
  create(): S;
  apply(state: S, keyed: Keyed, message: Message, watermark: EpochMs, context: StepContext): void;
  /** Lets go what waited for order, up to a watermark (inclusive). */
  release?(state: S, keyed: Keyed, upTo: EpochMs, context: StepContext): void;
  /** Fires what is due up to a watermark (inclusive) and forgets what it has made final; `watermark` is the real one. */
  fire?(state: S, keyed: Keyed, upTo: EpochMs, watermark: EpochMs, cause: Cause, context: StepContext): void;
  /** The lowest watermark at which `release` or `fire` has something to do; infinite when there is none. */
  dueAt?(state: S): EpochMs;
  /** The key has gone idle: its session has ended. */
  idle?(state: S): void;
  /** Called before the key's state is dropped at expiry. */
  drop?(state: S, context: StepContext): void;
  encode(state: S, writer: Writer): void;
  /** `layout` is the version that wrote it, at most this one's. */
  decode(reader: Reader, layout: number, modelByKey: ModelLookup): S;
  /** State that is kept in entries of its own, because most of it doesn't change between two snapshots. */
  readonly items?: Items<S>;
}

/** The assigned model with a key, see `modelKey`. */
export type ModelLookup = (key: string) => Model | null;

export interface Items<S> {
  encodeChanges(generation: number, generations: Generations, take: (entry: StateEntry) => void): void;
  /**
   * Takes one entry back, in the place of an earlier one of the same item, unless the key's state does not need it any
   * more.
   */
  restore(
    state: S,
    keyed: Keyed,
    reader: Reader,
    watermark: EpochMs,
    generation: number,
    generations: Generations,
  ): void;
  rewriteUpTo(state: S, keyed: Keyed, generation: number): void;
}
