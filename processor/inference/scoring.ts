import { MillraceError } from "../../domain/errors.ts";
import { modelKey, type ModelControl, type ModelReference } from "../../domain/models.ts";
import type { Hop } from "./model-stream.ts";
import { assign, type Assignment, type Model, type ModelSource, NO_MODELS } from "./model.ts";
import { score } from "./scorer.ts";

/** What a partition's scoring needs from outside. */
export interface ScoringPorts {
  readonly source: ModelSource;
  /** A control record's model was not taken; what scored before goes on. */
  refused(reference: ModelReference, reason: string): void;
}

/** Assignment as it is kept in state: references alone. */
interface StoredAssignment {
  readonly live: ModelReference | null;
  readonly shadow: ModelReference | null;
  readonly canary: { readonly model: ModelReference; readonly share: number } | null;
}

/** The hops of one partition that wait for scores, what waits for them, and the models that the log has assigned. */
export class Scoring {
  readonly #ports: ScoringPorts;
  #assignment: Assignment = NO_MODELS;
  /** Hops of the steps since the last `settle`, in order. */
  readonly hops: Hop[] = [];
  #then: (() => void)[] = [];
  #control: ModelControl | null = null;

  constructor(ports: ScoringPorts) {
    this.#ports = ports;
  }

  get assignment(): Assignment {
    return this.#assignment;
  }

  /** Whether a model was assigned that the next step must already see. */
  get mustSettle(): boolean {
    return this.#control !== null;
  }

  /** Runs `work` once the hops so far are scored; in the order of the calls. */
  then(work: () => void): void {
    this.#then.push(work);
  }

  /** A control record: takes effect behind its step. */
  control(control: ModelControl): void {
    this.#control = control;
  }

  async settle(): Promise<void> {
    if (this.hops.length > 0) await score(this.hops.splice(0));
    for (const work of this.#then.splice(0)) work();
    if (this.#control) await this.#switch(this.#control);
    this.#control = null;
  }

  async #switch(control: ModelControl): Promise<void> {
    try {
      this.#assignment = assign(
        this.#assignment,
        control,
        this.modelByKey(modelKey(control.model)) ?? (await this.#ports.source.load(control.model)),
      );
    } catch (error) {
      if (!(error instanceof MillraceError && error.code === "model-refused")) throw error;
      this.#ports.refused(control.model, error.message);
    }
  }

  /** The assigned model with this key, see `modelKey`. */
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

/** Stands in where no models are configured. */
export const noModels: ModelSource = {
  load: ({ name, version }) =>
    Promise.reject(
      new MillraceError(
        "model-refused",
        `model ${name} ${version} was assigned, but no model source is configured: set MODEL_SOURCE`,
      ),
    ),
};
