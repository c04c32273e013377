import { expect, test } from "@jest/globals";
import { difference } from "./compare.ts";
import { productRun } from "./product.ts";
import { referenceRun } from "./reference.ts";
import { data, exampleSettings, numbered } from "./rules/rule.ts";
import { channelStatistics } from "./statistics.ts";

const START = 1_657_533_977_000;

/** Twenty messages of a hundred readings in one window, five of them late. One axis has a step between its halves. */
function crowded(mean: number, spread: number): ReturnType<typeof numbered> {
  let random = 7;
  const noise = (): number => (random = (random * 48_271) % 2_147_483_647) / 2_147_483_647 - 0.5;
  const messages = Array.from({ length: 20 }, (_, seq) => {
    const t = Array.from({ length: 100 }, (__, i) => START + seq * 40 + i * 0.3125);
    const samples = t.map(() => [
      mean + noise() * spread,
      mean + (seq < 10 ? 0 : spread),
      noise(),
      -mean / 10,
      0,
      noise() * 70,
    ]);
    return data("s", seq, t, { at: START + 1000, samples });
  });
  return numbered([...messages.slice(0, 15), data("s", 20, [START + 2000]), ...messages.slice(15)]);
}

test.each([
  { mean: 0, spread: 1 },
  { mean: 9.81, spread: 0 },
  { mean: 0.1, spread: 0 },
  { mean: 319, spread: 1e-3 },
  { mean: 319, spread: 1e-6 },
  { mean: -319, spread: 1e-9 },
  { mean: 1e-200, spread: 1e-200 },
])(
  "two thousand readings of $mean ± $spread have the statistics of the definitions, revisions too",
  async ({ mean, spread }) => {
    const log = crowded(mean, spread);
    expect(
      difference(referenceRun(log, exampleSettings, false), await productRun(log, exampleSettings, false)),
    ).toBeUndefined();
  },
);

test("the reference's statistics are those of a calculation by hand", () => {
  const { ax, accMag, gyroMag } = channelStatistics([
    [1, 2, 2, 0, 0, 0],
    [3, 0, 4, 2, 3, 6],
  ]);
  expect(ax).toEqual({ mean: 2, std: 1, min: 1, max: 3, rms: Math.sqrt(5) });
  expect(accMag).toEqual({ mean: 4, std: 1, min: 3, max: 5, rms: Math.sqrt(17) });
  expect(gyroMag).toEqual({ mean: 3.5, std: 3.5, min: 0, max: 7, rms: Math.sqrt(24.5) });
});

test("the reference finds a step of 2^-40 in 10,000 readings of 256, which the rounding of the mean would hide", () => {
  const step = 2 ** -40;
  const { ax } = channelStatistics(Array.from({ length: 10_000 }, (_, i) => [256 + (i % 2) * step, 0, 0, 0, 0, 0]));
  expect(Math.abs(ax.std - step / 2)).toBeLessThan(1e-9 * step);
});
