import "./no-telemetry.ts";
import { setImmediate } from "node:timers/promises";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { MillraceError } from "../../domain/errors.ts";
import type { ModelManifest, ModelProbe } from "../../domain/models.ts";
import type { Model } from "../inference/model.ts";
import type { ModelBytes } from "./model-bytes.ts";

/** Largest batch that is chosen from the manifest's: small enough for a few sensors, large enough for a thousand. */
const PREFERRED_BATCH = 16;

const SESSION_OPTIONS: InferenceSession.SessionOptions = {
  executionProviders: ["cpu"],
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: "sequential",
  logSeverityLevel: 3,
};

/**
 * Loads a model from its bytes and checks it against its manifest and its probe. Running the probe also warms it up.
 *
 * @throws MillraceError `model-refused`, whose message says what was found and what was expected
 */
export async function createOnnxModel(bytes: ModelBytes, manifest: ModelManifest, probe: ModelProbe): Promise<Model> {
  const session = await open(bytes, manifest);
  checkTensors(session, manifest);
  const model = new OnnxModel(session, manifest);
  await checkProbe(model, probe);
  return model;
}

class OnnxModel implements Model {
  readonly manifest: ModelManifest;
  readonly rows: number;
  readonly stateSize: number;
  readonly batch: number;
  readonly #session: InferenceSession;

  constructor(session: InferenceSession, manifest: ModelManifest) {
    this.#session = session;
    this.manifest = manifest;
    this.rows = manifest.rowsPerHop;
    this.stateSize = manifest.state[0]!.shape[0]!;
    this.batch = Math.max(
      ...manifest.batchSizes.filter((size) => size <= PREFERRED_BATCH),
      Math.min(...manifest.batchSizes),
    );
  }

  get reference(): Model["reference"] {
    const { name, version, sha256 } = this.manifest;
    return { name, version, sha256 };
  }

  /** What was fetched at once is stepped by all its tasks before Node looks for more. */
  gather(): Promise<void> {
    return setImmediate();
  }

  async run(
    readings: Float32Array,
    state: Float32Array,
  ): Promise<{ probabilities: Float32Array; state: Float32Array }> {
    const { inputs, outputs, state: states } = this.manifest;
    const stateInput = states[0]!.input;
    const stateOutput = states[0]!.output;
    const readingsInput = inputs.find(({ name }) => name !== stateInput)!.name;
    const probabilitiesOutput = outputs.find(({ name }) => name !== stateOutput)!.name;
    const result = await this.#session.run({
      [readingsInput]: new Tensor("float32", readings, [this.batch, this.rows, 6]),
      [stateInput]: new Tensor("float32", state, [this.batch, this.stateSize]),
    });
    return {
      probabilities: result[probabilitiesOutput]!.data as Float32Array,
      state: result[stateOutput]!.data as Float32Array,
    };
  }
}

function refused({ name, version }: ModelManifest, what: string, cause?: unknown): MillraceError {
  return new MillraceError("model-refused", `model ${name} ${version}: ${what}`, { cause });
}

async function open({ onnx, external }: ModelBytes, manifest: ModelManifest): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(onnx, { ...SESSION_OPTIONS, externalData: external });
  } catch (error) {
    throw refused(manifest, `ONNX Runtime can't load its ${onnx.length} bytes: ${(error as Error).message}`, error);
  }
}

function checkTensors(session: InferenceSession, manifest: ModelManifest): void {
  for (const [kind, found, expected] of [
    ["inputs", session.inputMetadata, manifest.inputs],
    ["outputs", session.outputMetadata, manifest.outputs],
  ] as const) {
    const described = sortedList(
      found.map((tensor) =>
        tensor.isTensor ? `${tensor.name} ${tensor.type}${shapeText(tensor.shape)}` : `${tensor.name}, no tensor`,
      ),
    );
    const wanted = sortedList(expected.map(({ name, dtype, shape }) => `${name} ${dtype}${shapeText(shape)}`));
    if (described !== wanted) throw refused(manifest, `its ${kind} are ${described}; the manifest says ${wanted}`);
  }
}

function sortedList(texts: readonly string[]): string {
  return texts.toSorted().join("; ");
}

/** A shape as `[batch,50,6]`: every size that is not fixed is the batch. */
function shapeText(shape: readonly (number | string)[]): string {
  return `[${shape.map((size) => (typeof size === "number" ? size : "batch")).join(",")}]`;
}

async function checkProbe(model: OnnxModel, probe: ModelProbe): Promise<void> {
  const { batch, rows, stateSize, manifest } = model;
  let state = new Float32Array(batch * stateSize);
  for (const [hop, { readings, probabilities }] of probe.hops.entries()) {
    if (readings.length !== rows * 6)
      throw refused(manifest, `hop ${hop} of its probe has ${readings.length} numbers; ${rows * 6} are expected`);
    const padded = new Float32Array(batch * rows * 6);
    padded.set(readings);
    const result = await model.run(padded, state).catch((error: unknown) => {
      throw refused(manifest, `it does not run: ${(error as Error).message}`, error);
    });
    state = Float32Array.from(result.state);
    compare(manifest, `hop ${hop} of the probe`, result.probabilities, probabilities, probe.tolerance);
  }
  compare(manifest, "the state after the probe", state, probe.finalState, probe.tolerance);
}

function compare(
  manifest: ModelManifest,
  what: string,
  found: Float32Array,
  expected: readonly number[],
  tolerance: number,
): void {
  for (const [i, value] of expected.entries()) {
    if (!(Math.abs(found[i]! - value) <= tolerance))
      throw refused(manifest, `${what} gives ${found[i]} at ${i}; ${value} ± ${tolerance} is expected`);
  }
}
