import { expect, test } from "@jest/globals";
import { simulate } from "./simulated/schedule.ts";

/** Schedules of an ordinary run. */
const SCHEDULES = Number(process.env["SEARCH_RUNS"] ?? 500);
/** A seed that a failure printed: its schedule alone runs again. */
const given = process.env["SEED"];
/** Looks for a failing schedule that long instead. */
const searchSeconds = Number(process.env["SEARCH_SECONDS"] ?? 0);

function* seeds(): Generator<number> {
  if (given !== undefined) return yield Number(given);
  const first = Math.floor(Math.random() * 2 ** 31);
  const end = performance.now() + 1_000 * searchSeconds;
  for (let n = 0; searchSeconds > 0 ? performance.now() < end : n < SCHEDULES; n++) yield first + n;
}

test(
  "schedules of delays, failures, crashes and zombies give every output exactly once",
  async () => {
    for (const seed of seeds()) {
      const { problem, trace } = await simulate(seed);
      if (problem) throw new Error(`${problem}\nrepeat with: SEED=${seed} npm test -- simulation\n${trace.join("\n")}`);
    }
  },
  600_000 + 2_000 * searchSeconds,
);

test("the same seed gives the same schedule", async () => {
  const [one, two] = [await simulate(4_711), await simulate(4_711)];
  expect(one.trace.length).toBeGreaterThan(0);
  expect(two.trace).toEqual(one.trace);
});
