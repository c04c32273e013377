import { expect } from "@jest/globals";
import { eventually } from "../support/eventually.ts";
import type { Program, Stream } from "./harness.ts";
import type { Strike } from "./strikes.ts";

const LIMIT_MS = 60_000;

/** Everything fed is processed: each output is there exactly once, and nothing else. */
export async function expectExactlyOnce(stream: Stream): Promise<void> {
  await stream.stopFeeding();
  await eventually(
    async () => {
      const { committed, expected } = await stream.results();
      expect(committed.length).toBeGreaterThanOrEqual(expected.length);
    },
    { limitMs: LIMIT_MS },
  );
  const { committed, expected } = await stream.results();
  expect(expected.length).toBeGreaterThan(0);
  expect(committed).toEqual(expected);
}

/** Resolves when the program has committed so many times, all partitions together. */
export async function commits(program: Program, atLeast = 5): Promise<void> {
  await eventually(() => expect(program.told.filter((each) => each.committed).length).toBeGreaterThanOrEqual(atLeast), {
    limitMs: LIMIT_MS,
  });
}

/** Resolves when the program has committed in so many partitions, counted from now. */
export async function commitsAnew(program: Program, partitions: number): Promise<void> {
  const from = program.told.length;
  await eventually(
    () => {
      const tasks = new Set(program.told.slice(from).flatMap(({ committed }) => (committed ? [committed.task] : [])));
      if (tasks.size < partitions)
        throw new Error(
          `commits in ${tasks.size} of ${partitions} partitions (${[...tasks].join(", ")}):\n${program.log.slice(-4_000)}`,
        );
    },
    { limitMs: LIMIT_MS },
  );
}

export async function struck(program: Program, strike: Strike): Promise<void> {
  await eventually(() => expect(program.told).toContainEqual({ struck: strike }), { limitMs: LIMIT_MS }).catch(
    (error: unknown) => {
      throw new Error(`${strike.moment} ${strike.point} was never reached:\n${program.log.slice(-4_000)}`, {
        cause: error,
      });
    },
  );
}
