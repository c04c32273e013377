import { expect } from "@jest/globals";
import { eventually } from "../support/eventually.ts";
import type { Program, Stream } from "./harness.ts";
import type { InjectedFault } from "./inject-fault.ts";

const LIMIT_MS = 60_000;

/** Stops feeding; resolves when each expected output is committed exactly once, and no other. */
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

/** Commits so far, over all partitions. */
export function commitCount(program: Program): number {
  return program.events.filter((each) => each.committed).length;
}

/** Resolves when the program has committed at least this many times, over all partitions. */
export async function commits(program: Program, atLeast = 5): Promise<void> {
  await eventually(() => commitCount(program), { until: (count) => count >= atLeast, limitMs: LIMIT_MS });
}

/** Resolves when the program has committed in this many partitions, counted from now. */
export async function commitsAnew(program: Program, partitions: number): Promise<void> {
  const from = program.events.length;
  await eventually(
    () => {
      const tasks = new Set(program.events.slice(from).flatMap(({ committed }) => (committed ? [committed.task] : [])));
      if (tasks.size >= partitions) return;
      const which = `${tasks.size} of ${partitions} partitions (${[...tasks].join(", ")})`;
      throw new Error(`commits in ${which}:\n${program.log.slice(-4_000)}`);
    },
    { limitMs: LIMIT_MS },
  );
}

/** Resolves when the fault has been injected into the program. */
export async function faultInjected(program: Program, fault: InjectedFault): Promise<void> {
  await eventually(() => expect(program.events).toContainEqual({ injected: fault }), { limitMs: LIMIT_MS }).catch(
    (error: unknown) => {
      throw new Error(`${fault.moment} ${fault.point} was never reached:\n${program.log.slice(-4_000)}`, {
        cause: error,
      });
    },
  );
}
