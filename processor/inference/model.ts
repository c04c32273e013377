import { crc32 } from "node:zlib";
import { modelKey, type ModelControl, type ModelManifest, type ModelReference } from "../../domain/models.ts";

/** A model that fits its manifest and gave what its probe expects. */
export interface Model {
  readonly reference: ModelReference;
  readonly manifest: ModelManifest;
  /** Rows of a hop. */
  readonly rows: number;
  /** Numbers of the recurrent state. */
  readonly stateSize: number;
  /** Rows of a batch: every run has this shape, padded with zeros. */
  readonly batch: number;
  /**
   * Scores one batch. `readings` has batch × rows × 6 numbers, `state` has batch × stateSize. Gives batch × labels
   * probabilities and the next state.
   */
  run(readings: Float32Array, state: Float32Array): Promise<{ probabilities: Float32Array; state: Float32Array }>;
  /** Resolves when all tasks of the process that step now have asked for their scores. @default at once */
  gather?(): Promise<void>;
}

/** Where models come from. */
export interface ModelSource {
  /** @throws MillraceError `model-refused` when it does not fit its manifest; other errors are worth another try. */
  load(reference: ModelReference): Promise<Model>;
}

/** Which models score which keys, as the log has decided so far. */
export interface Assignment {
  readonly live: Model | null;
  readonly shadow: Model | null;
  readonly canary: { readonly model: Model; readonly share: number } | null;
}

/** A control record that names a model. */
export type NamingControl = Extract<ModelControl, { readonly model: ModelReference }>;

/**
 * Stands for a model that scored and whose files can't be had any more. Its hops come when the model's would, so that
 * the outputs are the same but for the scores: they have none, and labels are null. The recurrent state stays.
 */
export function absentModel(reference: ModelReference, manifest: ModelManifest): Model {
  const batch = 1;
  const none = new Float32Array(batch * manifest.labels.length).fill(NaN);
  return {
    reference,
    manifest,
    rows: manifest.rowsPerHop,
    stateSize: manifest.state[0]!.shape[0]!,
    batch,
    run: (_readings, state) => Promise.resolve({ probabilities: none, state }),
  };
}

/** Nothing scores. */
export const NO_MODELS: Assignment = { live: null, shadow: null, canary: null };

/** The assignment after a control record whose model was taken. */
export function assign(before: Assignment, control: NamingControl, model: Model): Assignment {
  const same = (other: Model | null | undefined): boolean =>
    other != null && modelKey(other.reference) === modelKey(model.reference);
  switch (control.stage) {
    case "live":
      return { live: model, shadow: null, canary: null };
    case "shadow":
      return { ...before, shadow: model };
    case "canary":
      return { ...before, canary: { model, share: control.share } };
    case "off":
      return {
        live: same(before.live) ? null : before.live,
        shadow: same(before.shadow) ? null : before.shadow,
        canary: same(before.canary?.model) ? null : before.canary,
      };
  }
}

/** The model that scores a key: the canary for a share of the keys, by their hash; the live model for the rest. */
export function modelOf({ live, canary }: Assignment, key: string): Model | null {
  return canary !== null && crc32(key) / 2 ** 32 < canary.share ? canary.model : live;
}
