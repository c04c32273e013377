import type { EpochMs } from "../../domain/time.ts";
import type { Reader, Writer } from "./codec.ts";
import type { SeenFacts } from "./facts.ts";
import type { KeyedState } from "./keyed-state.ts";
import type { Message, Rejection } from "./message.ts";

/** What a message is: new, a copy of one that was accepted (dropped and counted), or refused with a reason. */
export type Admission = "new" | "duplicate" | Rejection;

/**
 * How a pipeline finds duplicates: what is remembered per key, of type S. It outlives the operators' state: it is kept
 * through the key's expiry, in its tombstone. The partition's machine calls it in step 3; no method may block.
 */
export interface Deduplication<S = unknown, M extends Message = Message> {
  /** Memory of a new key. */
  create(): S;

  /**
   * Judges a message before any operator sees it. Leaves no trace in state.
   *
   * @param keyed The key's state: `seen` is an S.
   * @param watermark The watermark before this message.
   */
  judge(keyed: KeyedState, message: M, watermark: EpochMs): Admission;

  /** Remembers an accepted message. Called behind `apply` of all operators. */
  add(seen: S, message: M): void;

  /** What it remembers, for people. Changes nothing. */
  facts?(seen: S): SeenFacts;

  /** Writes a key's memory. Called at a snapshot, for keys that have changed. */
  encode(seen: S, writer: Writer): void;

  /**
   * Reads a key's memory. Called at a restore.
   *
   * @param keyedLayout Layout of the key's entry, `KEYED_LAYOUT`.
   */
  decode(reader: Reader, keyedLayout: number): S;
}
