import { modelKey, type ModelReference } from "../../domain/models.ts";
import type { Milliseconds, TimeInterval } from "../../domain/time.ts";
import type { OrderedOperator } from "../operators/order-operator.ts";
import type { Reader, Writer } from "../runtime/codec.ts";
import type { Keyed } from "../runtime/keyed.ts";
import type { Message } from "../runtime/message.ts";
import type { ModelLookup, StepContext } from "../runtime/operator.ts";
import { type Hop, ModelStream } from "./model-stream.ts";
import { type Model, modelOf } from "./model.ts";

/** Takes seconds of a label: the session that an interval lies in, as long as it is kept. */
export type CreditActivity = (
  keyed: Keyed,
  interval: TimeInterval,
) => ((label: string, seconds: number) => void) | null;

export interface InferenceOptions {
  readonly to: string;
  readonly sessionGapMs: Milliseconds;
  /** How much of the probabilities before goes into a hop's, in percent. */
  readonly smoothingPercent: number;
  readonly credit: CreditActivity;
}

/** A key's streams: through the model that scores it, and through the shadow. */
interface KeyStreams {
  main: ModelStream | null;
  shadow: ModelStream | null;
  /** Smoothed probabilities of the hop before; null where the model begins anew. */
  smoothed: Float64Array | null;
}

/**
 * Scores each key's readings, hop by hop, by the model that the log has assigned. Outputs are numbered in their step;
 * their content is filled in by `settle`, once the scores are there.
 */
export class InferenceOperator implements OrderedOperator<KeyStreams> {
  readonly name = "inference";
  readonly layout = 1;
  readonly #options: InferenceOptions;

  constructor(options: InferenceOptions) {
    this.#options = options;
  }

  create(): KeyStreams {
    return { main: null, shadow: null, smoothed: null };
  }

  apply(streams: KeyStreams, keyed: Keyed, message: Message, isNewBoot: boolean, context: StepContext): void {
    const { assignment } = context.scoring;
    streams.main = this.#streamFor(streams.main, modelOf(assignment, keyed.key));
    if (!streams.main) return;
    streams.shadow = this.#streamFor(streams.shadow, assignment.shadow);
    if (isNewBoot) this.reset(streams);
    const shadowed: Hop[] = [];
    streams.shadow?.push(message, (hop) => {
      context.scoring.hops.push(hop);
      if (hop.describes) shadowed.push(hop);
    });
    streams.main.push(message, (hop) => {
      context.scoring.hops.push(hop);
      const { describes } = hop;
      if (describes)
        this.#emit(
          keyed,
          streams,
          hop,
          describes,
          shadowed.find((other) => other.describes!.end === describes.end) ?? null,
          context,
        );
    });
  }

  /** The key is silent, its session has ended: the next reading begins anew. */
  reset(streams: KeyStreams): void {
    streams.main?.forgetLast();
    streams.shadow?.forgetLast();
  }

  #streamFor(stream: ModelStream | null, model: Model | null): ModelStream | null {
    if (model === null) return null;
    return stream?.model === model ? stream : new ModelStream(model, this.#options.sessionGapMs);
  }

  #emit(
    keyed: Keyed,
    streams: KeyStreams,
    hop: Hop,
    window: TimeInterval,
    shadow: Hop | null,
    context: StepContext,
  ): void {
    const { model } = hop.stream;
    const id = context.out.nextId(this.#options.to);
    const head = `{"id":"${id}","schema":1,"sensorId":"${keyed.key}","window":{"start":${window.start},"end":${window.end}},"model":${referenceText(model)}`;
    const output = context.out.pending(this.#options.to, keyed.key, head);
    const credit = this.#options.credit(keyed, window);
    context.figures.inferences++;
    context.scoring.then(() => {
      this.#smooth(streams, hop);
      const label = topLabel(hop);
      output.value = Buffer.from(
        `${head},"label":${JSON.stringify(label)},"probabilities":${probabilitiesText(hop)}${shadow ? shadowText(shadow, label) : ""}}`,
      );
      if (label !== null) credit?.(label, (window.end - window.start) / 1_000);
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

  decode(reader: Reader, _layout: number, modelByKey: ModelLookup): KeyStreams {
    const stream = (): ModelStream | null => {
      const key = reader.optionalText();
      if (key === null) return null;
      const section = reader.section();
      const model = modelByKey(key);
      if (!model) return null;
      const restored = new ModelStream(model, this.#options.sessionGapMs);
      restored.decode(section);
      return restored;
    };
    const smoothed = reader.f64s();
    return { main: stream(), shadow: stream(), smoothed: smoothed.length > 0 ? smoothed : null };
  }
}

function referenceText({ reference: { name, version } }: { reference: ModelReference }): string {
  return `{"name":"${name}","version":"${version}"}`;
}

/** The most probable label, of equals the first; null when the model gave no finite number. */
function topLabel({ probabilities, stream }: Hop): string | null {
  if (!probabilities!.every(Number.isFinite)) return null;
  let top = 0;
  for (let i = 1; i < probabilities!.length; i++) if (probabilities![i]! > probabilities![top]!) top = i;
  return stream.model.manifest.labels[top]!;
}

function probabilitiesText(hop: Hop): string {
  if (topLabel(hop) === null) return "null";
  return `{${hop.stream.model.manifest.labels.map((label, i) => `${JSON.stringify(label)}:${hop.probabilities![i]}`).join(",")}}`;
}

function shadowText(shadow: Hop, liveLabel: string | null): string {
  const label = topLabel(shadow);
  return `,"shadow":{"model":${referenceText(shadow.stream.model)},"label":${JSON.stringify(label)},"agrees":${label === liveLabel}}`;
}
