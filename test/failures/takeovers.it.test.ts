import { afterEach, describe, jest, test } from "@jest/globals";
import { Stream } from "./harness.ts";
import type { Strike } from "./strikes.ts";
import { commitsAnew, expectExactlyOnce, struck } from "./waits.ts";

jest.setTimeout(240_000);

const PARTITIONS = 4;
/** Occurrences are counted over both tasks that the joining processor gets. */
const strikes: readonly Strike[] = [
  { point: "send", moment: "within", occurrence: 10, action: "kill" },
  { point: "commit", moment: "within", occurrence: 10, action: "kill" },
  { point: "commit", moment: "after", occurrence: 10, action: "kill" },
  { point: "segment:put", moment: "within", occurrence: 3, action: "kill" },
  // The claim of the first partition that is handed over, and a snapshot's: 1 and 2 are the claims.
  { point: "manifest:write", moment: "after", occurrence: 1, action: "kill" },
  { point: "manifest:write", moment: "after", occurrence: 3, action: "kill" },
];

let stream: Stream;
afterEach(() => stream.close());

describe("two processors that share four partitions", () => {
  test("one killed with kill -9, the other takes over, a replacement joins and is killed in its turn: every output exactly once", async () => {
    stream = await Stream.create({ partitions: PARTITIONS });
    stream.feed();
    const survivor = stream.start();
    await commitsAnew(survivor, PARTITIONS);
    for (const strike of strikes) {
      const joins = stream.start({ strike });
      await struck(joins, strike);
      await joins.exited;
      await commitsAnew(survivor, PARTITIONS);
    }
    const last = stream.start();
    await commitsAnew(last, PARTITIONS / 2);
    // The elder one, which leads the group, dies as well.
    survivor.signal("SIGKILL");
    await survivor.exited;
    await commitsAnew(last, PARTITIONS);
    await expectExactlyOnce(stream);
  });
});
