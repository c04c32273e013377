import { encodeColumns } from "../../../domain/columns.ts";
import { transformedColumns, windowChannels } from "../../../domain/imu.ts";
import type { EpochMs, Milliseconds } from "../../../domain/time.ts";
import { contentTypes } from "../../../domain/topics.ts";
import type { SequencedMessage } from "../../operators/sequenced-message.ts";
import type { Reader, Writer } from "../../runtime/codec.ts";
import type { KeyedState } from "../../runtime/keyed-state.ts";
import { MAX_ROWS } from "../../runtime/message.ts";
import type { OrderedOperator, StepContext } from "../../runtime/operator.ts";
import { identify } from "./identify.ts";

/** Time constant of the low-pass filter that estimates gravity. */
export const GRAVITY_TIME_CONSTANT: Milliseconds = 1_000;
/** A longer silence starts the filter anew. */
export const GRAVITY_RESET_GAP: Milliseconds = 5_000;

/** JSON of the columns' names, which every message's header has. */
const COLUMN_NAMES = JSON.stringify(transformedColumns);

/** The filter's estimate of gravity (m/s², each axis) at the time of the last sample. */
interface Gravity {
  last: EpochMs;
  readonly estimate: Float64Array;
}

/**
 * Writes each message as columns: the six channels, the magnitudes, and the acceleration without gravity, where gravity
 * is a causal first-order low-pass of the acceleration: g += (1 − e^(−Δt/τ))·(a − g). τ is one second. The filter
 * begins with the first sample of a boot, and anew after five seconds of silence.
 */
export class TransformOperator implements OrderedOperator<Gravity, SequencedMessage> {
  readonly name = "transform";
  readonly layout = 1;
  readonly #to: string;
  readonly #format: "packed" | "json";
  /** The message's eight columns, then lax lay laz. */
  readonly #columns = new Float64Array(transformedColumns.length * MAX_ROWS);
  /** The weight of each row in the filter. */
  readonly #weights = new Float64Array(MAX_ROWS);

  constructor(to: string, format: "packed" | "json") {
    this.#to = to;
    this.#format = format;
  }

  create(): Gravity {
    return { last: -Infinity, estimate: new Float64Array(3) };
  }

  apply(
    gravity: Gravity,
    _keyed: KeyedState,
    message: SequencedMessage,
    isNewBoot: boolean,
    context: StepContext,
  ): void {
    if (isNewBoot) gravity.last = -Infinity;
    this.#filter(gravity, message);
    if (this.#format === "json") this.#emitJson(message, context);
    else this.#emitPacked(message, context);
  }

  #emitJson(message: SequencedMessage, context: StepContext): void {
    const { key, rows, t } = message;
    const column = (index: number): Float64Array => this.#columns.subarray(index * MAX_ROWS, index * MAX_ROWS + rows);
    context.out.json(this.#to, key, {
      ...identify(message),
      t: Array.from(t.subarray(0, rows)),
      ...Object.fromEntries(transformedColumns.map((name, index) => [name, Array.from(column(index))])),
    });
  }

  #emitPacked(message: SequencedMessage, context: StepContext): void {
    const { key, rows, t } = message;
    const id = context.out.nextId(this.#to);
    // The JSON of a `ColumnsHeader`, by hand: ids and keys need no escapes.
    const boot = message.boot === null ? "" : `,"boot":${JSON.stringify(message.boot)}`;
    const identity = `"sensorId":"${key}","seq":${message.seq}${boot}`;
    const headerJson = `{"id":"${id}","schema":1,${identity},"count":${rows},"columns":${COLUMN_NAMES}}`;
    const bytes = encodeColumns(headerJson, rows, t, this.#columns, transformedColumns.length, MAX_ROWS);
    context.out.bytes(this.#to, key, bytes, contentTypes.columnsPacked, id);
  }

  #filter(gravity: Gravity, message: SequencedMessage): void {
    const { rows, t, columns: input } = message;
    const output = this.#columns;
    const weights = this.#weights;
    for (let column = 0; column < windowChannels.length; column++) {
      for (let i = column * MAX_ROWS, end = i + rows; i < end; i++) output[i] = input[i]!;
    }
    let elapsedBefore = NaN;
    let weight = 0;
    for (let row = 0; row < rows; row++) {
      const elapsed = t[row]! - gravity.last;
      if (elapsed !== elapsedBefore) weight = weightOf(elapsed);
      elapsedBefore = elapsed;
      weights[row] = weight;
      if (elapsed > 0) gravity.last = t[row]!;
    }
    for (let axis = 0; axis < 3; axis++) {
      const from = axis * MAX_ROWS;
      const to = (windowChannels.length + axis) * MAX_ROWS;
      let g = gravity.estimate[axis]!;
      for (let row = 0; row < rows; row++) {
        const a = input[from + row]!;
        g += weights[row]! * (a - g);
        output[to + row] = a - g;
      }
      gravity.estimate[axis] = g;
    }
  }

  adopt(gravity: Gravity): Gravity {
    return gravity;
  }

  encode(gravity: Gravity, writer: Writer): void {
    writer.f64(gravity.last);
    writer.f64s(gravity.estimate);
  }

  decode(reader: Reader): Gravity {
    return { last: reader.f64(), estimate: reader.f64s() };
  }
}

/** The weight of a reading in the filter, by the time since the one before it. */
function weightOf(elapsed: Milliseconds): number {
  if (elapsed > GRAVITY_RESET_GAP) return 1;
  return elapsed > 0 ? 1 - Math.exp(-elapsed / GRAVITY_TIME_CONSTANT) : 0;
}
