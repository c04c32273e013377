import { MillraceError } from "../../domain/errors.ts";
import {
  MODEL_HEADER,
  modelControl,
  modelKey,
  type ModelControl,
  type ModelManifest,
  type ModelReference,
} from "../../domain/models.ts";
import type { Rejection } from "../runtime/message.ts";
import type { AsyncWork } from "../runtime/pipeline.ts";
import type { Hop } from "./model-stream.ts";
import { absentModel, assign, type Assignment, type Model, type ModelSource, NO_MODELS } from "./model.ts";
import { score } from "./scorer.ts";

/** What a partition's scoring needs from outside. */
export interface ScoringPorts {
  readonly source: ModelSource;
  /** Called when a model is refused that a control record assigns, or that the state has: somebody must look. */
  refused(reference: ModelReference, reason: string): void;
  /** Called when a control record has taken effect. */
  switched?(): void;
  /** Hears of each hop that a model gets: rows × 6 numbers, oldest row first. */
  fed?(model: Model, readings: Float32Array): void;
}

/** An assignment as the state keeps it. */
interface StoredAssignment {
  readonly live: ModelReference | null;
  readonly shadow: ModelReference | null;
  readonly canary: { readonly model: ModelReference; readonly share: number } | null;
  /** By `modelKey`: what an absent model is replaced by. Absent in the state of versions that kept none. */
  readonly manifests?: Readonly<Record<string, ModelManifest>>;
}

/**
 * What scores in one partition: the models that the log has assigned, and the hops that wait for scores. It is the
 * pipeline's asynchronous work: `settle` scores the hops and loads the model of a control record.
 */
export class Scoring implements AsyncWork {
  readonly #ports: ScoringPorts;
  #assignment: Assignment = NO_MODELS;
  /** Hops of the steps since the last `settle`, in order. */
  readonly hops: Hop[] = [];
  #control: ModelControl | null = null;

  constructor(ports: ScoringPorts) {
    this.#ports = ports;
  }

  get assignment(): Assignment {
    return this.#assignment;
  }

  /** Whether a model was assigned: the next step must see it. */
  get mustSettle(): boolean {
    return this.#control !== null;
  }

  /** Takes a `model` control record. It takes effect behind its step. */
  readonly control = (headers: Readonly<Record<string, string>>): Rejection | null => {
    const received = headers[MODEL_HEADER];
    const control = modelControl.safeParse(parseJson(received));
    if (!control.success) {
      const problems = control.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`).join("; ");
      const message = `the header ${MODEL_HEADER} of a model record is ${received}: ${problems}`;
      return { code: "invalid-message", message };
    }
    this.#control = control.data;
    return null;
  };

  readonly #runFailed = ({ reference }: Model, error: unknown): void =>
    this.#ports.refused(reference, `a run failed, and its row has no score: ${String(error)}`);

  async settle(): Promise<string | null> {
    if (this.hops.length > 0) {
      const hops = this.hops.splice(0);
      for (const { stream, readings } of hops) this.#ports.fed?.(stream.model, readings);
      await score(hops, this.#runFailed);
    }
    const refusal = this.#control ? await this.#switch(this.#control) : null;
    this.#control = null;
    return refusal;
  }

  /** Gives why the model is refused; null when it was assigned. */
  async #switch(control: ModelControl): Promise<string | null> {
    if (control.stage === "none") {
      this.#assignment = NO_MODELS;
      this.#ports.switched?.();
      return null;
    }
    try {
      const model = this.modelByKey(modelKey(control.model)) ?? (await this.#ports.source.load(control.model));
      this.#assignment = assign(this.#assignment, control, model);
      this.#ports.switched?.();
      return null;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.#ports.refused(control.model, error.message);
      return error.message;
    }
  }

  /** The assigned model with this key, see `modelKey`; null when none has it. */
  modelByKey(key: string): Model | null {
    const { live, shadow, canary } = this.#assignment;
    return [live, shadow, canary?.model].find((model) => model != null && modelKey(model.reference) === key) ?? null;
  }

  encode(): string {
    const { live, shadow, canary } = this.#assignment;
    const assigned = [live, shadow, canary?.model].filter((model) => model != null);
    const stored: StoredAssignment = {
      live: live?.reference ?? null,
      shadow: shadow?.reference ?? null,
      canary: canary ? { model: canary.model.reference, share: canary.share } : null,
      manifests: Object.fromEntries(assigned.map(({ reference, manifest }) => [modelKey(reference), manifest])),
    };
    return JSON.stringify(stored);
  }

  /**
   * A model whose files are gone is replaced by one that gives no scores: the log has assigned it, so its hops stay.
   *
   * @throws MillraceError `model-refused` when the state was written by a version that kept no manifests; what the
   *   source throws when it does not answer
   */
  async restore(text: string): Promise<void> {
    const { live, shadow, canary, manifests } = JSON.parse(text) as StoredAssignment;
    const load = (reference: ModelReference): Promise<Model> =>
      this.#loadAgain(reference, manifests?.[modelKey(reference)]);
    this.#assignment = {
      live: live && (await load(live)),
      shadow: shadow && (await load(shadow)),
      canary: canary && { model: await load(canary.model), share: canary.share },
    };
  }

  async #loadAgain(reference: ModelReference, manifest: ModelManifest | undefined): Promise<Model> {
    try {
      return await this.#ports.source.load(reference);
    } catch (error) {
      if (!isRefusal(error) || !manifest) throw error;
      this.#ports.refused(reference, error.message);
      return absentModel(reference, manifest);
    }
  }
}

function isRefusal(error: unknown): error is MillraceError {
  return error instanceof MillraceError && error.code === "model-refused";
}

/** The source of models where none is configured: it refuses every model. */
export const noModels: ModelSource = {
  load: ({ name, version }) => {
    const problem = `model ${name} ${version} was assigned, but no model source is configured: set MODEL_SOURCE`;
    return Promise.reject(new MillraceError("model-refused", problem));
  },
};

/** For a pipeline that is given no models: nothing scores. */
export const WITHOUT_MODELS: ScoringPorts = { source: noModels, refused: () => undefined };

/** The value of a JSON text; undefined when it is none. */
function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
}
