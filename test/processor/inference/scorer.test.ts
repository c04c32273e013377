import { beforeEach, describe, expect, test } from "@jest/globals";
import type { Hop } from "../../../processor/inference/model-stream.ts";
import type { Model } from "../../../processor/inference/model.ts";
import { score } from "../../../processor/inference/scorer.ts";

/** Gives each row's first reading as its probability and state; fails when a batch has a reading of 13. */
const model = {
  batch: 4,
  stateSize: 1,
  manifest: { labels: ["only"] },
  run: (readings: Float32Array) =>
    readings.includes(13)
      ? Promise.reject(new Error("13 is in the batch"))
      : Promise.resolve({ probabilities: readings.slice(), state: readings.slice() }),
} as unknown as Model;

function streamOf(of: Model): Hop["stream"] {
  return { model: of, state: new Float32Array([7]) } as unknown as Hop["stream"];
}

function hop(reading: number, stream = streamOf(model)): Hop {
  return {
    stream,
    readings: Float32Array.of(reading),
    fresh: false,
    describes: null,
    begins: false,
    probabilities: null,
  };
}

test("a row that makes a shared run fail has no score and begins anew; its neighbours have theirs", async () => {
  const hops = [1, 2, 13, 4, 5].map((reading) => hop(reading));
  const failures: unknown[] = [];
  await score(hops, (_model, error) => void failures.push(error));
  expect(hops.map(({ probabilities }) => probabilities![0])).toEqual([1, 2, NaN, 4, 5]);
  expect(hops.map(({ stream }) => stream.state[0])).toEqual([1, 2, 0, 4, 5]);
  expect(failures).toEqual([new Error("13 is in the batch")]);
});

describe("tasks that step at the same time", () => {
  /** Runs of the model, each as the readings of its rows; zeros are padding. */
  const runs: number[][] = [];
  const shared = {
    ...model,
    gather: () => new Promise<void>((resolve) => setImmediate(resolve)),
    run: async (readings: Float32Array, state: Float32Array) => {
      runs.push([...readings]);
      await new Promise(setImmediate);
      return model.run(readings, state);
    },
  } as unknown as Model;
  const hopOf = (reading: number, stream = streamOf(shared)): Hop => hop(reading, stream);
  beforeEach(() => void runs.splice(0));
  const ignore = (): void => undefined;

  test("share runs, and each gets its own scores and failures", async () => {
    const tasks = [[hopOf(1)], [hopOf(2), hopOf(13)], [hopOf(3)]];
    const failures: [number, unknown][] = [];
    await Promise.all(tasks.map((hops, task) => score(hops, (_model, error) => failures.push([task, error]))));
    expect(runs[0]).toEqual([1, 2, 13, 3]);
    expect(tasks.map((hops) => hops.map(({ probabilities }) => probabilities![0]))).toEqual([[1], [2, NaN], [3]]);
    expect(failures).toEqual([[1, new Error("13 is in the batch")]]);
  });

  test("wait for the runs that are under way, and then share the next; a stream's hops come in turn", async () => {
    const first = hopOf(1);
    const again = hopOf(5, first.stream);
    const scored = score([first, again], ignore);
    while (runs.length === 0) await new Promise(setImmediate);
    const later = [hopOf(7), hopOf(8)].map((each) => score([each], ignore));
    await Promise.all([scored, ...later]);
    expect(runs).toEqual([
      [1, 0, 0, 0],
      [5, 0, 0, 0],
      [7, 8, 0, 0],
    ]);
    expect(first.stream.state[0]).toBe(5);
  });
});
