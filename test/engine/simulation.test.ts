import { expect, test } from "@jest/globals";
import { simulate } from "./simulated/schedule.ts";

/** `MILLRACE_SEED=N npm test -- simulation` repeats one schedule; without it each run takes fresh ones. */
const given = process.env["MILLRACE_SEED"];
const SCHEDULES = Number(process.env["MILLRACE_SCHEDULES"] ?? 500);

test(`${given === undefined ? `${SCHEDULES} fresh schedules` : `schedule ${given}`} of delays, failures, crashes and zombies give every output exactly once`, async () => {
  const first = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
  for (let seed = first; seed < first + (given === undefined ? SCHEDULES : 1); seed++) {
    const { problem, trace } = await simulate(seed);
    if (problem)
      throw new Error(`${problem}\nrepeat with: MILLRACE_SEED=${seed} npm test -- simulation\n${trace.join("\n")}`);
  }
}, 600_000);

test("the same seed gives the same schedule", async () => {
  const [one, two] = [await simulate(4_711), await simulate(4_711)];
  expect(one.trace.length).toBeGreaterThan(0);
  expect(two.trace).toEqual(one.trace);
});
