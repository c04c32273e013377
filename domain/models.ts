import { z } from "zod";

const tensor = z.object({
  name: z.string(),
  shape: z.array(z.union([z.string(), z.int()])),
  dtype: z.literal("float32"),
});

/** Mean and standard deviation of each channel of a model's training set. */
export const inputStatistics = z.object({
  mean: z.array(z.number()).length(6),
  std: z.array(z.number().positive()).length(6),
});

/** The `manifest.json` beside a model: how it is fed, what it gives, and what it must give for its probe. */
export const modelManifest = z.looseObject({
  name: z.string().regex(/^[a-z0-9-]{1,64}$/),
  version: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/),
  /** Of all the model's files, hex: see `modelHash` in processor/adapters/model-bytes.ts. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** File of the model, beside the manifest. */
  file: z.string().default("model.onnx"),
  opset: z.int(),
  irVersion: z.int(),
  /** How the commands have used it. What scores is decided in the log. */
  stage: z.enum(["candidate", "shadow", "canary", "live"]).default("candidate"),
  /** Batch sizes in which a row's bits were shown not to depend on its neighbours. */
  batchSizes: z.array(z.int().positive()).min(1),
  /** Rows of a hop: sampleRateHz × hopMs / 1000. */
  rowsPerHop: z.int().positive(),
  sampleRateHz: z.number().positive(),
  hopMs: z.number().positive(),
  /** An output describes the hop that ended this long before the newest one; at most one hop. */
  decisionDelayMs: z.number().min(0),
  resetGapMs: z.number().positive(),
  labels: z.array(z.string()).min(1),
  inputs: z.array(tensor),
  outputs: z.array(tensor),
  state: z.array(z.object({ input: z.string(), output: z.string(), shape: z.array(z.int()).length(1) })).length(1),
  /** File of the probe, beside the manifest. */
  probe: z.string(),
  /** Of the rows that it was trained on, for each of the six channels; absent where nobody noted them. */
  inputStatistics: inputStatistics.optional(),
});
export type ModelManifest = z.infer<typeof modelManifest>;

/** Hops that are run one after another from a state of zeros, and what they must give, within `tolerance`. */
export const modelProbe = z.looseObject({
  /** `readings`: rowsPerHop × 6, oldest row first; `probabilities`: one per label. */
  hops: z.array(z.looseObject({ readings: z.array(z.number()), probabilities: z.array(z.number()) })).min(1),
  finalState: z.array(z.number()),
  tolerance: z.number().positive(),
});
export type ModelProbe = z.infer<typeof modelProbe>;

/** Names one version of a model; the hash makes it the same everywhere. */
const modelReference = z.object({ name: z.string(), version: z.string(), sha256: z.string() });
export type ModelReference = z.infer<typeof modelReference>;

/** One text per reference. The same bytes under another version, or with another manifest, are another model. */
export function modelKey({ name, version, sha256 }: ModelReference): string {
  return `${name}/${version}/${sha256}`;
}

/**
 * A `model` control record has this as JSON in its header `model`. `live`: scores from here on, instead of all others.
 * `shadow`: scores beside the live one, which says whether they agree. `canary`: scores instead of the live one for a
 * share of the keys. `off`: stops scoring in any stage. `none`: no model scores, whatever did.
 */
export const modelControl = z.discriminatedUnion("stage", [
  z.object({ stage: z.literal("live"), model: modelReference }),
  z.object({ stage: z.literal("shadow"), model: modelReference }),
  z.object({ stage: z.literal("canary"), model: modelReference, share: z.number().gt(0).max(1) }),
  z.object({ stage: z.literal("off"), model: modelReference }),
  z.object({ stage: z.literal("none") }),
]);
export type ModelControl = z.infer<typeof modelControl>;

/** Header of a `model` control record that holds `modelControl` as JSON. */
export const MODEL_HEADER = "model";
