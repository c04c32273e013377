import { expect, test } from "@jest/globals";
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

function hop(reading: number): Hop {
  const stream = { model, state: new Float32Array([7]) } as unknown as Hop["stream"];
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
  const hops = [1, 2, 13, 4, 5].map(hop);
  const failures: unknown[] = [];
  await score(hops, (_model, error) => void failures.push(error));
  expect(hops.map(({ probabilities }) => probabilities![0])).toEqual([1, 2, NaN, 4, 5]);
  expect(hops.map(({ stream }) => stream.state[0])).toEqual([1, 2, 0, 4, 5]);
  expect(failures).toEqual([new Error("13 is in the batch")]);
});
