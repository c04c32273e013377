import { afterEach, describe, jest, test } from "@jest/globals";
import { Stream } from "./harness.ts";
import type { InjectedFault } from "./inject-fault.ts";
import { commitsAnew, expectExactlyOnce, faultInjected } from "./waits.ts";

jest.setTimeout(240_000);

const PARTITIONS = 4;
/** Occurrences are counted over both tasks of the joining processor. */
const faults: readonly InjectedFault[] = [
  { point: "send", moment: "within", occurrence: 10, action: "kill" },
  { point: "commit", moment: "within", occurrence: 10, action: "kill" },
  { point: "commit", moment: "after", occurrence: 10, action: "kill" },
  { point: "segment:put", moment: "within", occurrence: 3, action: "kill" },
  // 1 is the claim of the first partition that is handed over, 3 a snapshot: 1 and 2 are the claims.
  { point: "manifest:write", moment: "after", occurrence: 1, action: "kill" },
  { point: "manifest:write", moment: "after", occurrence: 3, action: "kill" },
];

let stream: Stream;
afterEach(() => stream.close());

describe("two processors that share four partitions", () => {
  test("give every output exactly once while each joining one is killed and the other takes over", async () => {
    stream = await Stream.create({ partitions: PARTITIONS });
    stream.feed();
    const survivor = stream.start();
    await commitsAnew(survivor, PARTITIONS);
    for (const fault of faults) {
      const joins = stream.start({ fault });
      await faultInjected(joins, fault);
      await joins.exited;
      await commitsAnew(survivor, PARTITIONS);
    }
    const last = stream.start();
    await commitsAnew(last, PARTITIONS / 2);
    // The older one, which leads the group, dies too.
    survivor.signal("SIGKILL");
    await survivor.exited;
    await commitsAnew(last, PARTITIONS);
    await expectExactlyOnce(stream);
  });
});
