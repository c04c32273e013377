import type { Hop } from "./model-stream.ts";
import type { Model } from "./model.ts";

/**
 * Scores hops in rounds: the k-th hop of every stream goes into the same runs, so that a stream's state is carried from
 * hop to hop. Every run has the model's one batch shape, padded with zeros, so that a row's bits depend neither on its
 * place nor on its neighbours. Where a run fails, its rows are run one by one: the row that fails alone scores NaN, and
 * `failed` gets the reason.
 */
export async function score(hops: readonly Hop[], failed: (model: Model, error: unknown) => void): Promise<void> {
  for (const model of new Set(hops.map(({ stream }) => stream.model))) {
    let left = hops.filter(({ stream }) => stream.model === model);
    while (left.length > 0) {
      const streams = new Set<Hop["stream"]>();
      const round = left.filter(({ stream }) => !streams.has(stream) && streams.add(stream));
      const inRound = new Set(round);
      left = left.filter((hop) => !inRound.has(hop));
      for (let from = 0; from < round.length; from += model.batch) {
        await runBatch(model, round.slice(from, from + model.batch), failed);
      }
    }
  }
}

async function runBatch(
  model: Model,
  hops: readonly Hop[],
  failed: (model: Model, error: unknown) => void,
): Promise<void> {
  const { batch, stateSize } = model;
  const width = hops[0]!.readings.length;
  const labels = model.manifest.labels.length;
  const readings = new Float32Array(batch * width);
  const state = new Float32Array(batch * stateSize);
  hops.forEach((hop, row) => {
    readings.set(hop.readings, row * width);
    if (!hop.fresh) state.set(hop.stream.state, row * stateSize);
  });
  let result: Awaited<ReturnType<Model["run"]>>;
  try {
    result = await model.run(readings, state);
  } catch (error) {
    if (hops.length > 1) {
      for (const hop of hops) await runBatch(model, [hop], failed);
      return;
    }
    failed(model, error);
    result = { probabilities: new Float32Array(labels).fill(NaN), state: new Float32Array(stateSize) };
  }
  hops.forEach((hop, row) => {
    hop.probabilities = result.probabilities.slice(row * labels, (row + 1) * labels);
    hop.stream.state = result.state.slice(row * stateSize, (row + 1) * stateSize);
  });
}
