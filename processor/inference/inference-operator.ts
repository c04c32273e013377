import { modelKey, type ModelReference } from "../../domain/models.ts";
import type { Milliseconds, TimeInterval } from "../../domain/time.ts";
import type { Reader, Writer } from "../runtime/codec.ts";
import type { KeyedState } from "../runtime/keyed-state.ts";
import { emitLate, type LateOutput } from "../runtime/late.ts";
import type { Message } from "../runtime/message.ts";
import type { OrderedOperator, StepContext } from "../runtime/operator.ts";
import { type Hop, ModelStream } from "./model-stream.ts";
import { type Model, modelOf } from "./model.ts";
import type { Scoring } from "./scoring.ts";

/** Gives a function that adds seconds of a label to the session of an interval; null when no session has it. */
export type CreditActivity = (
  keyed: KeyedState,
  interval: TimeInterval,
) => ((label: string, seconds: number) => void) | null;

/** Settings of an inference operator. */
export interface InferenceOptions<M extends Message> {
  /** Which models score, and the scores that are due. */
  readonly scoring: Scoring;
  /** Topic of the inference records. */
  readonly to: string;
  /** The field of a record that holds the key. */
  readonly keyField: string;
  readonly sessionGapMs: Milliseconds;
  /** The share of the previous hop's probabilities in a hop's, in percent. */
  readonly smoothingPercent: number;
  /** Hops that one message may cause. */
  readonly maxHopsPerMessage: number;
  /** Where the readings go that would cause more. */
  readonly late: LateOutput<M>;
  /** Where the seconds of each label are counted. */
  readonly credit: CreditActivity;
}

/** A key's streams: one through the model that scores it, one through the shadow. */
interface KeyStreams {
  main: ModelStream | null;
  shadow: ModelStream | null;
  /** Smoothed probabilities of the previous hop; null where the model begins anew. */
  smoothed: Float64Array | null;
}

/**
 * Scores each key's readings, hop by hop, by the model that the log has assigned. Outputs are numbered in their step;
 * `settle` completes them, once the scores are there.
 */
export class InferenceOperator<M extends Message> implements OrderedOperator<KeyStreams, M> {
  readonly name = "inference";
  readonly layout = 1;
  readonly #options: InferenceOptions<M>;

  constructor(options: InferenceOptions<M>) {
    this.#options = options;
  }

  create(): KeyStreams {
    return { main: null, shadow: null, smoothed: null };
  }

  apply(streams: KeyStreams, keyed: KeyedState, message: M, isNewBoot: boolean, context: StepContext): void {
    const { scoring, maxHopsPerMessage, late } = this.#options;
    const { assignment, hops } = scoring;
    streams.main = this.#streamFor(streams.main, modelOf(assignment, keyed.key));
    if (!streams.main) return;
    streams.shadow = this.#streamFor(streams.shadow, assignment.shadow);
    if (isNewBoot) this.idle(streams);
    const shadowed: Hop[] = [];
    streams.shadow?.push(message, maxHopsPerMessage, (hop) => {
      hops.push(hop);
      if (hop.describes) shadowed.push(hop);
    });
    const taken = streams.main.push(message, maxHopsPerMessage, (hop) => {
      hops.push(hop);
      const { describes } = hop;
      if (!describes) return;
      const shadow = shadowed.find((other) => other.describes!.end === describes.end) ?? null;
      this.#emit(keyed, streams, hop, describes, shadow, context);
    });
    if (taken === message.rows) return;
    context.counters.add("processor.hop-limits");
    const missed = { start: message.t[taken]!, end: message.lastTime };
    emitLate(late, message, "inference", missed, taken, message.rows, context);
  }

  /** The key is silent, so its session has ended: the next reading begins anew. */
  idle(streams: KeyStreams): void {
    streams.main?.forgetLast();
    streams.shadow?.forgetLast();
  }

  adopt({ main, shadow, smoothed }: KeyStreams): KeyStreams {
    const { sessionGapMs } = this.#options;
    for (const stream of [main, shadow]) stream?.beginAnewAfter(sessionGapMs);
    return { main, shadow, smoothed };
  }

  #streamFor(stream: ModelStream | null, model: Model | null): ModelStream | null {
    if (model === null) return null;
    return stream?.model === model ? stream : new ModelStream(model, this.#options.sessionGapMs);
  }

  #emit(
    keyed: KeyedState,
    streams: KeyStreams,
    hop: Hop,
    window: TimeInterval,
    shadow: Hop | null,
    context: StepContext,
  ): void {
    const { to, keyField, credit } = this.#options;
    context.counters.add("processor.inferences");
    const output = context.out.pending(to, keyed.key, {
      [keyField]: keyed.key,
      window: { start: window.start, end: window.end },
      model: nameOf(hop),
    });
    const addActivity = credit(keyed, window);
    context.whenSettled(() => {
      this.#smooth(streams, hop);
      const label = topLabel(hop);
      output.complete(scoreFields(hop, label, shadow));
      if (label !== null) addActivity?.(label, (window.end - window.start) / 1_000);
    });
  }

  /** Exponential smoothing: p ← s·before + (1 − s)·p. */
  #smooth(streams: KeyStreams, hop: Hop): void {
    const share = this.#options.smoothingPercent / 100;
    if (share === 0 || !hop.probabilities!.every(Number.isFinite)) return;
    const before = hop.begins ? null : streams.smoothed;
    streams.smoothed = Float64Array.from(hop.probabilities!, (p, i) =>
      before ? share * before[i]! + (1 - share) * p : p,
    );
    hop.probabilities = Float32Array.from(streams.smoothed);
  }

  encode(streams: KeyStreams, writer: Writer): void {
    writer.f64s(streams.smoothed ?? new Float64Array(0));
    for (const stream of [streams.main, streams.shadow]) {
      writer.optionalText(stream ? modelKey(stream.model.reference) : null);
      if (stream) writer.section(() => stream.encode(writer));
    }
  }

  decode(reader: Reader): KeyStreams {
    const stream = (): ModelStream | null => {
      const key = reader.optionalText();
      if (key === null) return null;
      const section = reader.section();
      const model = this.#options.scoring.modelByKey(key);
      if (!model) return null;
      const restored = new ModelStream(model, this.#options.sessionGapMs);
      restored.decode(section);
      return restored;
    };
    const smoothed = reader.f64s();
    return { main: stream(), shadow: stream(), smoothed: smoothed.length > 0 ? smoothed : null };
  }
}

/** The fields that come from scores. */
function scoreFields(hop: Hop, label: string | null, shadow: Hop | null): object {
  return {
    label,
    probabilities: probabilities(hop, label),
    ...(shadow === null ? {} : { shadow: agreement(shadow, label) }),
  };
}

function nameOf({ stream }: Hop): Pick<ModelReference, "name" | "version"> {
  const { name, version } = stream.model.reference;
  return { name, version };
}

/** The most probable label, of equals the first; null when the model gave no finite number. */
function topLabel({ probabilities: scores, stream }: Hop): string | null {
  if (!scores!.every(Number.isFinite)) return null;
  let top = 0;
  for (let i = 1; i < scores!.length; i++) if (scores![i]! > scores![top]!) top = i;
  return stream.model.manifest.labels[top]!;
}

/** Probability per label; null where there is no label. */
function probabilities(hop: Hop, label: string | null): Record<string, number> | null {
  if (label === null) return null;
  const { labels } = hop.stream.model.manifest;
  return Object.fromEntries(labels.map((name, i) => [name, hop.probabilities![i]!]));
}

/** What the shadow says, and whether the model that scores says the same. */
function agreement(shadow: Hop, label: string | null): object {
  const shadowLabel = topLabel(shadow);
  return { model: nameOf(shadow), label: shadowLabel, agrees: shadowLabel === label };
}
