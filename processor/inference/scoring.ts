import { MillraceError } from "../../domain/errors.ts";
import { MODEL_HEADER, modelControl, modelKey, type ModelControl, type ModelReference } from "../../domain/models.ts";
import type { Rejection } from "../runtime/message.ts";
import type { AsyncWork } from "../runtime/pipeline.ts";
import type { Hop } from "./model-stream.ts";
import { assign, type Assignment, type Model, type ModelSource, NO_MODELS } from "./model.ts";
import { score } from "./scorer.ts";

/** What a partition's scoring needs from outside. */
export interface ScoringPorts {
  readonly source: ModelSource;
  /** Called when the model of a control record is refused: the models before it continue to score. */
  refused(reference: ModelReference, reason: string): void;
}

/** An assignment as the state keeps it: references alone. */
interface StoredAssignment {
  readonly live: ModelReference | null;
  readonly shadow: ModelReference | null;
  readonly canary: { readonly model: ModelReference; readonly share: number } | null;
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

  async settle(): Promise<void> {
    if (this.hops.length > 0) await score(this.hops.splice(0));
    if (this.#control) await this.#switch(this.#control);
    this.#control = null;
  }

  async #switch(control: ModelControl): Promise<void> {
    try {
      const model = this.modelByKey(modelKey(control.model)) ?? (await this.#ports.source.load(control.model));
      this.#assignment = assign(this.#assignment, control, model);
    } catch (error) {
      if (!(error instanceof MillraceError && error.code === "model-refused")) throw error;
      this.#ports.refused(control.model, error.message);
    }
  }

  /** The assigned model with this key, see `modelKey`; null when none has it. */
  modelByKey(key: string): Model | null {
    const { live, shadow, canary } = this.#assignment;
    return [live, shadow, canary?.model].find((model) => model != null && modelKey(model.reference) === key) ?? null;
  }

  encode(): string {
    const { live, shadow, canary } = this.#assignment;
    const stored: StoredAssignment = {
      live: live?.reference ?? null,
      shadow: shadow?.reference ?? null,
      canary: canary ? { model: canary.model.reference, share: canary.share } : null,
    };
    return JSON.stringify(stored);
  }

  /** @throws Whatever loading a model throws: outputs without it would differ. */
  async restore(text: string): Promise<void> {
    const { live, shadow, canary } = JSON.parse(text) as StoredAssignment;
    const load = async (reference: ModelReference | null): Promise<Model | null> =>
      reference ? this.#ports.source.load(reference) : null;
    this.#assignment = {
      live: await load(live),
      shadow: await load(shadow),
      canary: canary ? { model: await this.#ports.source.load(canary.model), share: canary.share } : null,
    };
  }
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
