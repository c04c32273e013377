import type { Hop } from "./model-stream.ts";
import type { Model } from "./model.ts";

/** Why a run failed, told to the task whose hop it was. */
type Failed = (model: Model, error: unknown) => void;

/** The hops of one task's `settle`, all of one model. */
interface Asked {
  readonly hops: readonly Hop[];
  readonly failed: Failed;
}

/** What the process's tasks have asked of a model since its last runs began. */
interface Gathered {
  readonly asked: Asked[];
  readonly scored: Promise<void>;
}

const gathering = new WeakMap<Model, Gathered>();
/** The runs of each model that are under way. */
const underWay = new WeakMap<Model, Promise<void>>();

/**
 * Scores hops in rounds: the k-th hop of every stream goes into the same runs, so that a stream's state is carried from
 * hop to hop. Every run has the model's one batch shape, padded with zeros, so that a row's bits depend neither on its
 * place nor on its neighbours. So the hops of all tasks that wait for the same model share its runs: a run of one row
 * costs as much as one of sixteen. Where a run fails, its rows are run one by one: the row that fails alone scores NaN,
 * and `failed` gets the reason.
 */
export async function score(hops: readonly Hop[], failed: Failed): Promise<void> {
  const byModel = Map.groupBy(hops, ({ stream }) => stream.model);
  await Promise.all(Array.from(byModel, ([model, own]) => scoreTogether(model, { hops: own, failed })));
}

function scoreTogether(model: Model, own: Asked): Promise<void> {
  const open = gathering.get(model);
  if (open) {
    open.asked.push(own);
    return open.scored;
  }
  const asked = [own];
  const scored = scoreNext(model, asked, underWay.get(model));
  gathering.set(model, { asked, scored });
  underWay.set(model, scored);
  return scored;
}

/** Scores what is asked until the runs before have ended and the other tasks have asked, too. */
async function scoreNext(model: Model, asked: readonly Asked[], before: Promise<void> | undefined): Promise<void> {
  await before?.catch(() => undefined);
  await model.gather?.();
  gathering.delete(model);
  await scoreRounds(model, asked);
}

async function scoreRounds(model: Model, asked: readonly Asked[]): Promise<void> {
  const failed = (hop: Hop, error: unknown): void => asked.find(({ hops }) => hops.includes(hop))!.failed(model, error);
  let left = asked.flatMap(({ hops }) => hops);
  while (left.length > 0) {
    const streams = new Set<Hop["stream"]>();
    const round = left.filter(({ stream }) => !streams.has(stream) && streams.add(stream));
    const inRound = new Set(round);
    left = left.filter((hop) => !inRound.has(hop));
    for (let from = 0; from < round.length; from += model.batch)
      await runBatch(model, round.slice(from, from + model.batch), failed);
  }
}

async function runBatch(model: Model, hops: readonly Hop[], failed: (hop: Hop, error: unknown) => void): Promise<void> {
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
    failed(hops[0]!, error);
    result = { probabilities: new Float32Array(labels).fill(NaN), state: new Float32Array(stateSize) };
  }
  hops.forEach((hop, row) => {
    hop.probabilities = result.probabilities.slice(row * labels, (row + 1) * labels);
    hop.stream.state = result.state.slice(row * stateSize, (row + 1) * stateSize);
  });
}
