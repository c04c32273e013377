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
 * One decoded message: rows of readings in columns. There is one instance per task, filled anew by each record: whoever
 * keeps readings copies them.
 */
export class Message {
  /** The key of the record: the sensor, or the symbol. */
  key = "";
  seq = 0;
  /** Null when the device gave none. */
  boot: string | null = null;
  /** Number of rows, 1 to MAX_ROWS. */
  rows = 0;
  /** Event times, epoch milliseconds, not decreasing. */
  readonly t = new Float64Array(MAX_ROWS);
  /** Column c of row i stands at `c * MAX_ROWS + i`. */
  readonly columns: Float64Array;

  constructor(width: number) {
    this.columns = new Float64Array(width * MAX_ROWS);
  }

  get firstTime(): number {
    return this.t[0]!;
  }

  get lastTime(): number {
    return this.t[this.rows - 1]!;
  }
}

/** Reads a record's value into `message` (key and all fields); null when it was taken, otherwise the reason. */
export type Decode = (
  key: string,
  value: Uint8Array,
  headers: Readonly<Record<string, string>>,
  message: Message,
) => Rejection | null;
