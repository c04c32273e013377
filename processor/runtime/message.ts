import type { DeadLetterCode } from "../../domain/errors.ts";

/** Why a record can't be taken; it goes to the dead-letter topic with this. */
export interface Rejection {
  readonly code: DeadLetterCode;
  /** What was received and what is allowed. */
  readonly message: string;
}

/** Rows that a message can have, and so the distance between two columns in `Message.columns`. */
export const MAX_ROWS = 1_000;

/**
 * One decoded message: rows of readings in columns. A partition's machine has one instance, which each record fills
 * anew: code that keeps readings must copy them. A pipeline whose messages have more fields, such as an identity,
 * extends it.
 */
export class Message {
  /** The key of the record: the sensor, or the symbol. */
  key = "";
  /** Number of rows, 1 to MAX_ROWS. */
  rows = 0;
  /** Event times, epoch milliseconds, not decreasing. */
  readonly t = new Float64Array(MAX_ROWS);
  /** Column c of row i is at `c * MAX_ROWS + i`. */
  readonly columns: Float64Array;

  /** `width`: the number of columns. */
  constructor(width: number) {
    this.columns = new Float64Array(width * MAX_ROWS);
  }

  /** How error messages name the times of the first and the last row, and whose clock gave them. */
  readonly names: { readonly first: string; readonly last: string; readonly clock: string } = {
    first: "the first sample's time",
    last: "the last sample's time",
    clock: "the device's clock",
  };

  /** Event time of the first row. */
  get firstTime(): number {
    return this.t[0]!;
  }

  /** Event time of the last row. */
  get lastTime(): number {
    return this.t[this.rows - 1]!;
  }
}
