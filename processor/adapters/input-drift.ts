import { type ModelManifest, type ModelReference, modelKey } from "../../domain/models.ts";
import { MINUTE, type Milliseconds } from "../../domain/time.ts";

/** Rows of a model below which an interval says nothing: 25 s of one sensor at 40 Hz. */
const MIN_ROWS = 1_000;
/** Models of an interval that are looked at. */
const MAX_MODELS = 16;

/** What a model was fed in an interval. */
interface Fed {
  readonly statistics: NonNullable<ModelManifest["inputStatistics"]>;
  rows: number;
  /** For each channel: squared distances from the training mean, in the training set's variances. */
  readonly squares: Float64Array;
}

/**
 * How far the input of models is from the sets that they were trained on, minute by minute: of each channel the root
 * mean square of the distance from the training mean, in the training set's standard deviations; the largest of all
 * channels and models, in percent. It is 100 for input like the training set, and grows with a shift and with a larger
 * spread. A smaller spread does not show.
 */
export class InputDrift {
  readonly #intervalMs: Milliseconds;
  #fed = new Map<string, Fed>();
  #endsAt: Milliseconds;
  #last: number | undefined;

  /** @param now Milliseconds of a clock that never goes back, as in all calls. */
  constructor(now: Milliseconds, intervalMs: Milliseconds = MINUTE) {
    this.#intervalMs = intervalMs;
    this.#endsAt = now + intervalMs;
  }

  /** Takes a hop: rows × 6 numbers. A model without figures of its training set is left out. */
  take(
    reference: ModelReference,
    { inputStatistics: statistics }: ModelManifest,
    hop: Float32Array,
    now: number,
  ): void {
    this.#endInterval(now);
    if (!statistics) return;
    const key = modelKey(reference);
    let fed = this.#fed.get(key);
    if (!fed) {
      if (this.#fed.size === MAX_MODELS) return;
      this.#fed.set(key, (fed = { statistics, rows: 0, squares: new Float64Array(statistics.mean.length) }));
    }
    const { mean, std } = statistics;
    const channels = mean.length;
    for (let i = 0; i < hop.length; i++) {
      const channel = i % channels;
      fed.squares[channel]! += ((hop[i]! - mean[channel]!) / std[channel]!) ** 2;
    }
    fed.rows += hop.length / channels;
  }

  /** The drift of the last interval, in percent; undefined when too little was scored in it. */
  percent(now: Milliseconds): number | undefined {
    this.#endInterval(now);
    return this.#last;
  }

  #endInterval(now: Milliseconds): void {
    if (now < this.#endsAt) return;
    const isLast = now < this.#endsAt + this.#intervalMs;
    const drifts = [...this.#fed.values()]
      .filter(({ rows }) => rows >= MIN_ROWS)
      .map(({ rows, squares }) => 100 * Math.sqrt(Math.max(...squares) / rows));
    this.#last = isLast && drifts.length > 0 ? Math.max(...drifts) : undefined;
    this.#fed = new Map();
    this.#endsAt = isLast ? this.#endsAt + this.#intervalMs : now + this.#intervalMs;
  }
}
