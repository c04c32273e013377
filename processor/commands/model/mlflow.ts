import { parse } from "yaml";
import { z } from "zod";
import { MillraceError } from "../../../domain/errors.ts";
import { inputStatistics, type ModelManifest, modelProbe } from "../../../domain/models.ts";
import { modelHash, readModelBytes } from "../../adapters/model-bytes.ts";
import type { ModelFiles } from "../../adapters/model-files.ts";
import { onnxVersions } from "../../adapters/onnx-header.ts";

/** What of an `MLmodel` file is read (MLflow Models, storage format). */
const mlModel = z.looseObject({
  flavors: z.looseObject({ onnx: z.looseObject({ data: z.string() }) }),
  signature: z.looseObject({ inputs: z.string(), outputs: z.string().optional() }).optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
  model_uuid: z.string().optional(),
  run_id: z.string().optional(),
});

/** Tensors of a signature: JSON of `[{"name", "type": "tensor", "tensor-spec": {"dtype", "shape"}}]`. */
const signatureTensors = z.array(
  z.looseObject({ name: z.string(), "tensor-spec": z.looseObject({ dtype: z.string(), shape: z.array(z.int()) }) }),
);

/**
 * What the metadata or the run's tags must say under `millrace.<name>`, because an ONNX file does not say how it is
 * fed.
 */
const settings = z.object({
  name: z.string(),
  version: z.string(),
  sampleRateHz: z.coerce.number(),
  hopMs: z.coerce.number(),
  decisionDelayMs: z.coerce.number(),
  resetGapMs: z.coerce.number(),
  labels: z.preprocess(listOf, z.array(z.string())),
  batchSizes: z.preprocess(listOf, z.array(z.coerce.number())).optional(),
  stateInput: z.string(),
  stateOutput: z.string(),
  inputStatistics: z
    .preprocess((value) => (typeof value === "string" ? JSON.parse(value) : value), inputStatistics)
    .optional(),
});

/** Comma-separated text or JSON as a list. */
function listOf(value: unknown): unknown {
  return typeof value !== "string"
    ? value
    : value.trim().startsWith("[")
      ? (JSON.parse(value) as unknown)
      : value.split(",").map((part) => part.trim());
}

/** A model in memory, in Millrace's own layout. */
export interface ImportedModel {
  readonly manifest: ModelManifest;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/**
 * Reads an MLflow model directory, or a run's folder with the model in `artifacts/model`: `MLmodel`, the ONNX flavour's
 * file, the signature, `millrace.*` in the metadata or the run's `tags/`, and `probe.json` beside the model.
 *
 * @throws MillraceError `model-refused` that lists what is missing.
 */
export async function readMlflow(files: ModelFiles): Promise<ImportedModel> {
  const folder = (await files.read("MLmodel")) ? "" : "artifacts/model/";
  const refused = (what: string): MillraceError =>
    new MillraceError("model-refused", `MLflow model in ${files.place}: ${what}`);
  const required = async (name: string): Promise<Uint8Array> => {
    const bytes = await files.read(folder + name);
    if (!bytes) throw refused(`${folder}${name} is missing`);
    return bytes;
  };
  const described = mlModel.safeParse(parse(Buffer.from(await required("MLmodel")).toString("utf8")));
  if (!described.success) {
    const problems = described.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
    throw refused(`MLmodel is invalid: ${problems.join("; ")}`);
  }
  const { flavors, signature, metadata } = described.data;
  const onnxFile = flavors.onnx.data;
  const bytes = { ...(await readModelBytes(onnxFile, required, refused)), file: "model.onnx" };
  const tags: Record<string, unknown> = {};
  for (const name of Object.keys(settings.shape)) {
    const tag = (await files.read(`tags/millrace.${name}`)) ?? (await files.read(`../../tags/millrace.${name}`));
    const value = metadata?.[`millrace.${name}`] ?? (tag ? Buffer.from(tag).toString("utf8") : undefined);
    if (value !== undefined) tags[name] = value;
  }
  const tagged = settings.safeParse(tags);
  if (!tagged.success) {
    const missing = tagged.error.issues.map(({ path, message }) => `millrace.${path.join(".")} (${message})`);
    throw refused(`metadata or tags must say ${missing.join(", ")}`);
  }
  if (!signature?.outputs) throw refused("MLmodel has no signature with inputs and outputs: log the model with one");
  const tensors = (text: string): ModelManifest["inputs"] =>
    signatureTensors.parse(JSON.parse(text)).map(({ name, "tensor-spec": { dtype, shape } }) => {
      if (dtype !== "float32") throw refused(`tensor ${name} is ${dtype}; float32 is expected`);
      return { name, shape: shape.map((size) => (size < 0 ? "batch" : size)), dtype };
    });
  const inputs = tensors(signature.inputs);
  const outputs = tensors(signature.outputs);
  const { stateInput, stateOutput, batchSizes, ...rest } = tagged.data;
  const stateShape = inputs
    .find(({ name }) => name === stateInput)
    ?.shape.slice(1)
    .map(Number);
  if (!stateShape)
    throw refused(
      `millrace.stateInput is ${stateInput}; the signature's inputs are ${inputs.map(({ name }) => name).join(", ")}`,
    );
  const versions = onnxVersions(bytes.onnx);
  if (!versions) throw refused(`${onnxFile} is no ONNX model`);
  const probe = await required("probe.json");
  modelProbe.parse(JSON.parse(Buffer.from(probe).toString("utf8")));
  const manifest: ModelManifest = {
    ...rest,
    ...versions,
    file: bytes.file,
    stage: "candidate",
    sha256: modelHash(bytes),
    inputs,
    outputs,
    state: [{ input: stateInput, output: stateOutput, shape: stateShape }],
    batchSizes: batchSizes ?? [1],
    rowsPerHop: (rest.sampleRateHz * rest.hopMs) / 1_000,
    probe: "probe.json",
  };
  return {
    manifest,
    files: new Map([
      [bytes.file, bytes.onnx],
      ...bytes.external.map(({ path, data }) => [path, data] as const),
      ["probe.json", probe],
      ["manifest.json", Buffer.from(JSON.stringify(manifest))],
    ]),
  };
}
