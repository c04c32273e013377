import type { EpochMs, Milliseconds, TimeInterval } from "../../domain/time.ts";
import type { Reader, Writer } from "../runtime/codec.ts";
import { MAX_ROWS, type Message } from "../runtime/message.ts";
import type { Model } from "./model.ts";

const CHANNELS = 6;

/** One hop of one key that is due. The scorer fills in its probabilities. */
export interface Hop {
  readonly stream: ModelStream;
  /** rows × 6 numbers, oldest row first. */
  readonly readings: Float32Array;
  /** Whether the model begins anew, from a state of zeros. */
  readonly fresh: boolean;
  /** The interval of event time that its output describes; null when it has no output. */
  readonly describes: TimeInterval | null;
  /** Whether it is the first one that has an output since the model began anew. */
  readonly begins: boolean;
  /** One per label; null before it is scored. */
  probabilities: Float32Array | null;
}

/**
 * One key's readings on their way through one model, and the model's recurrent state for that key. Readings are
 * resampled to the model's rate, causally, on a grid aligned to the epoch, and cut into hops. The numbered rules are
 * those of models/activity/README.md.
 */
export class ModelStream {
  readonly model: Model;
  readonly #period: Milliseconds;
  #resetGap: Milliseconds;
  /** Time of the last reading; −∞ when there is none, so that the next one resets. */
  #lastTime: EpochMs = -Infinity;
  readonly #lastValue = new Float64Array(CHANNELS);
  /** Whether the signal before the last reading is taken as constant. */
  #constant = true;
  /** Start of the hop that is being filled. */
  #start: EpochMs = 0;
  /** Rows of it that are there. */
  #rows = 0;
  readonly #readings: Float32Array;
  /** Whether the hop is the first one since the model began anew. */
  #first = true;
  /** Whether a hop has had an output since the model began anew. */
  #described = false;
  /** The model's recurrent state after the last hop that was scored. */
  state: Float32Array;

  /** `maxGapMs`: the session gap: the model begins anew with each session. */
  constructor(model: Model, maxGapMs: Milliseconds) {
    this.model = model;
    this.#period = 1000 / model.manifest.sampleRateHz;
    this.#resetGap = Math.min(model.manifest.resetGapMs, maxGapMs);
    this.#readings = new Float32Array(model.rows * CHANNELS);
    this.state = new Float32Array(model.stateSize);
  }

  /** Sets the session gap, see the constructor. */
  beginAnewAfter(maxGapMs: Milliseconds): void {
    this.#resetGap = Math.min(this.model.manifest.resetGapMs, maxGapMs);
  }

  /** Makes the next reading begin anew: a boot has begun, or a session has ended. */
  forgetLast(): void {
    this.#lastTime = -Infinity;
  }

  /**
   * Takes a message's readings and hands over the hops that are due, at most `maxHops`. With a reading that would cause
   * one more, the model begins anew: that reading and those behind it are not taken.
   *
   * @returns The number of readings taken.
   */
  push(message: Message, maxHops: number, due: (hop: Hop) => void): number {
    let left = maxHops;
    const take = (hop: Hop): void => {
      left--;
      due(hop);
    };
    for (let row = 0; row < message.rows; row++) {
      if (this.#reading(message, row, () => left, take)) continue;
      this.forgetLast();
      return row;
    }
    return message.rows;
  }

  /** Gives false, without an end, when the reading would cause more hops than are left. */
  #reading({ t, columns }: Message, row: number, left: () => number, due: (hop: Hop) => void): boolean {
    const time = t[row]!;
    if (time < this.#lastTime) return true; // 2
    if (time - this.#lastTime > this.#resetGap) this.#reset(time); // 3; also when there is no last reading
    // 4
    for (let grid = this.#nextGrid(); grid < time; grid = this.#nextGrid()) {
      const weight = (grid - this.#lastTime) / (time - this.#lastTime);
      for (let channel = 0; channel < CHANNELS; channel++) {
        const value = columns[channel * MAX_ROWS + row]!;
        const last = this.#lastValue[channel]!;
        this.#readings[this.#rows * CHANNELS + channel] = this.#constant ? value : last + (value - last) * weight;
      }
      if (++this.#rows < this.model.rows) continue;
      if (left() === 0) return false;
      due(this.#hop()); // 5
    }
    this.#constant = false; // 7
    this.#lastTime = time;
    for (let channel = 0; channel < CHANNELS; channel++) this.#lastValue[channel] = columns[channel * MAX_ROWS + row]!;
    return true;
  }

  #reset(time: EpochMs): void {
    const { hopMs } = this.model.manifest;
    const remainder = time % hopMs;
    this.#start = time - (remainder < 0 ? remainder + hopMs : remainder);
    this.#rows = 0;
    this.#first = true;
    this.#described = false;
    this.#constant = true;
  }

  /** Time of the next row on the grid. */
  #nextGrid(): EpochMs {
    return this.#start + (this.#rows + 1) * this.#period;
  }

  #hop(): Hop {
    const { hopMs, decisionDelayMs } = this.model.manifest;
    this.#start += hopMs;
    const end = this.#start - decisionDelayMs;
    const describes = this.#first && decisionDelayMs > 0 ? null : { start: end - hopMs, end };
    const hop: Hop = {
      stream: this,
      readings: this.#readings.slice(),
      fresh: this.#first,
      describes,
      begins: !this.#described,
      probabilities: null,
    };
    if (describes) this.#described = true;
    this.#first = false;
    this.#rows = 0;
    return hop;
  }

  encode(writer: Writer): void {
    writer.f64(this.#lastTime);
    writer.f64s(this.#lastValue);
    writer.u8((this.#constant ? 1 : 0) | (this.#first ? 2 : 0) | (this.#described ? 4 : 0));
    writer.f64(this.#start);
    writer.u32(this.#rows);
    writer.f32s(this.#readings);
    writer.f32s(this.state);
  }

  decode(reader: Reader): void {
    this.#lastTime = reader.f64();
    this.#lastValue.set(reader.f64s());
    const flags = reader.u8();
    this.#constant = (flags & 1) !== 0;
    this.#first = (flags & 2) !== 0;
    this.#described = (flags & 4) !== 0;
    this.#start = reader.f64();
    this.#rows = reader.u32();
    this.#readings.set(reader.f32s());
    this.state = reader.f32s();
  }
}
