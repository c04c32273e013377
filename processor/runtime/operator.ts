import type { Cause } from "../../domain/records.ts";
import type { EpochMs } from "../../domain/time.ts";
import type { Reader, Writer } from "./codec.ts";
import type { Counters } from "./counters.ts";
import type { Emitter } from "./emitter.ts";
import type { OperatorFacts } from "./facts.ts";
import type { Generations } from "./generations.ts";
import type { KeyedState } from "./keyed-state.ts";
import type { StateEntry } from "./machine.ts";
import type { Message } from "./message.ts";

/** What an operator has at hand in a step. */
export interface StepContext {
  readonly out: Emitter;
  readonly counters: Counters;
  readonly generations: Generations;
  /** Notes that an operator's state of a key has changed which the record at hand is not of. */
  markChanged(keyed: KeyedState): void;
  /** Runs `work` in the next `settle`, behind the pipeline's asynchronous work; in the order of the calls. */
  whenSettled(work: () => void): void;
}

/**
 * One operator of a pipeline, with state of type S per key. An operator makes decisions from messages and watermarks
 * alone. Only the partition's machine calls it, one call at a time; no method may block or keep what it is lent.
 *
 * For each accepted message the machine calls `apply` of all operators in the pipeline's order, then moves the
 * watermark, then calls `release` of all operators, then `fire` of all operators.
 */
export interface Operator<S = unknown, M extends Message = Message> {
  /** Unique in the pipeline; snapshots contain it. */
  readonly name: string;
  /** Version of what `encode` writes; a change of its bytes raises it. */
  readonly layout: number;

  /** State of a new key. Called when a key is first seen, and after its expiry. */
  create(): S;

  /**
   * Takes an accepted message. Called in step 3, once per message.
   *
   * @param watermark The watermark before this message: it decides what is late.
   */
  apply(state: S, keyed: KeyedState, message: M, watermark: EpochMs, context: StepContext): void;

  /**
   * Releases messages that waited for their order, up to a watermark (inclusive). Called in step 4 when the watermark
   * has moved, in step 2 when the key goes idle and at the end of input, both with `upTo` infinite.
   */
  release?(state: S, keyed: KeyedState, upTo: EpochMs, context: StepContext): void;

  /**
   * Emits what is due up to `upTo` (inclusive) and forgets what has become final. Called directly behind `release` of
   * all operators.
   *
   * @param watermark The key's real watermark, also where `upTo` is infinite.
   */
  fire?(state: S, keyed: KeyedState, upTo: EpochMs, watermark: EpochMs, cause: Cause, context: StepContext): void;

  /**
   * The lowest watermark at which `release` or `fire` has something to do; infinite when there is none. Called only in
   * pipelines with one watermark per partition, after each message of the key.
   */
  dueAt?(state: S): EpochMs;

  /** The key has gone idle, or switches to other settings: what was open has ended. Called behind `fire`. */
  idle?(state: S): void;

  /** The key's state is about to be dropped. Called when what was told becomes final. */
  drop?(state: S, context: StepContext): void;

  /**
   * Takes a key over from the operator of this name that ran under other settings, behind its `fire` and `idle`. An
   * operator without it begins anew.
   */
  adopt?(state: S): S;

  /** What it keeps of a key, for people. Changes nothing. */
  facts?(state: S): OperatorFacts;

  /** Writes the key's state. Called at a snapshot, for keys that have changed. */
  encode(state: S, writer: Writer): void;

  /**
   * Reads a key's state. Called at a restore, behind the restore of the pipeline's asynchronous work.
   *
   * @param layout The version that wrote it, from 1 to this operator's.
   */
  decode(reader: Reader, layout: number): S;

  /** State that is kept in entries of its own, because most of it does not change between two snapshots. */
  readonly items?: Items<S>;
}

/** Items of an operator's state: each is an entry of the snapshot, written only when it has changed. */
export interface Items<S> {
  /** Hands over all items that have changed. Called at a snapshot; stamps them with `generation`. */
  encodeChanges(generation: number, generations: Generations, take: (entry: StateEntry) => void): void;

  /**
   * Takes one entry back, in the place of an earlier one of the same item. Called at a restore, oldest generation
   * first, behind `decode` of the key. An entry that the key's state no longer needs is ignored.
   *
   * @throws MillraceError `state-layout-unknown` when the entry does not fit this version.
   */
  restore(
    state: S,
    keyed: KeyedState,
    reader: Reader,
    watermark: EpochMs,
    generation: number,
    generations: Generations,
  ): void;

  /** Makes the key's items that were last written up to `generation` count as changed. Called before a snapshot. */
  rewriteUpTo(state: S, keyed: KeyedState, generation: number): void;
}

/**
 * An operator that needs a key's messages in the order in which the device sent them. The order operator calls it, in
 * the step in which it releases a message; no method may block.
 */
export interface OrderedOperator<S = unknown, M extends Message = Message> {
  /** Unique among the operators behind one order operator. */
  readonly name: string;
  /** Version of what `encode` writes; a change of its bytes raises it. */
  readonly layout: number;

  /** State of a new key. */
  create(): S;

  /** Takes the next message of the key. The message is lent: an operator that keeps readings must copy them. */
  apply(state: S, keyed: KeyedState, message: M, isNewBoot: boolean, context: StepContext): void;

  /** The key has gone idle: the next message begins anew. */
  idle?(state: S): void;

  /** Takes a key over, see `Operator.adopt`. */
  adopt?(state: S): S;

  /** Writes the key's state, see `Operator.encode`. */
  encode(state: S, writer: Writer): void;

  /** Reads a key's state, see `Operator.decode`. */
  decode(reader: Reader, layout: number): S;
}
