import type { EpochMs } from "../../domain/time.ts";
import type { Message } from "../runtime/message.ts";

/** What a window computes: folds rows of messages into an accumulator of doubles, and gives the result. */
export interface Aggregate<M extends Message = Message> {
  /** Doubles of an accumulator. */
  readonly size: number;

  /**
   * Folds rows [from, to), at least one, into the accumulator at `at`, which holds `count` rows so far.
   *
   * @param start Of the window.
   */
  fold(
    accumulator: Float64Array,
    at: number,
    count: number,
    message: M,
    from: number,
    to: number,
    start: EpochMs,
  ): void;

  /** The result's fields in the window's record. The object is only lent: the next call may fill it anew. */
  result(accumulator: Float64Array, at: number, count: number): object;
}
