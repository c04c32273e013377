import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { DynamoProxy, type DynamoCondition, type DynamoRequest } from "../support/dynamodb-proxy.ts";
import { eventually } from "../support/eventually.ts";
import { sharedServers } from "../support/servers.ts";
import { Stream, type Program } from "./harness.ts";
import { commitCount, commits, commitsAnew, expectExactlyOnce } from "./waits.ts";

jest.setTimeout(120_000);

const PARTITIONS = 2;
/** At ten commits per second and partition, this takes several snapshot intervals. */
const MANY_COMMITS = 40;
let proxy: DynamoProxy;
let stream: Stream;
beforeEach(async () => {
  proxy = await DynamoProxy.start(sharedServers().dynamodbEndpoint);
  stream = await Stream.create({ partitions: PARTITIONS, servers: proxy });
  stream.feed();
});
afterEach(async () => {
  await stream.close();
  await proxy.stop();
});

const restarts = (program: Program): number => program.events.filter((each) => each.restarted).length;

/** Resolves when a new snapshot of every partition has been written. */
async function snapshotsAnew(program: Program): Promise<void> {
  const from = program.events.length;
  await eventually(
    () => expect(new Set(program.events.slice(from).flatMap(({ snapshot }) => snapshot ?? [])).size).toBe(PARTITIONS),
    { limitMs: 60_000 },
  );
}

/** Resolves when this many more requests have met a condition of DynamoDB. */
async function meets(condition: DynamoCondition, requests: number): Promise<void> {
  const from = proxy.met.get(condition) ?? 0;
  await eventually(() => expect(proxy.met.get(condition) ?? 0).toBeGreaterThanOrEqual(from + requests), {
    limitMs: 60_000,
  });
}

const manifestWrite = ({ operation, body }: DynamoRequest): boolean =>
  operation === "PutItem" && body.includes('"manifest/');

describe("a processor whose DynamoDB fails", () => {
  test("keeps committing during each failure of DynamoDB, and writes snapshots afterwards", async () => {
    const program = stream.start();
    await snapshotsAnew(program);
    for (const condition of ["throughput exceeded", "throttled", "internal error", "down", "slow", "silent"] as const) {
      proxy.condition = condition;
      await meets(condition, 1);
      await commits(program, commitCount(program) + PARTITIONS * MANY_COMMITS);
      proxy.condition = "well";
      await snapshotsAnew(program);
    }
    expect(restarts(program)).toBe(0);
    await expectExactlyOnce(stream);
  });

  test("waits for DynamoDB, without stopping its tasks, when it starts during a failure", async () => {
    for (const condition of ["throughput exceeded", "down"] as const) {
      const killed = stream.start();
      await snapshotsAnew(killed);
      proxy.condition = condition;
      await commits(killed, commitCount(killed) + PARTITIONS * 5);
      killed.signal("SIGKILL");
      await killed.exited;
      const heir = stream.start();
      await eventually(
        () => expect(new Set(heir.events.flatMap(({ restarted }) => restarted ?? [])).size).toBe(PARTITIONS),
        { limitMs: 60_000 },
      );
      const { status, components } = await heir.health();
      expect(status).toBe("degraded");
      for (const { detail } of Object.values(components))
        expect(detail).toMatch(/^(fencing|reading-progress|restoring|waiting)$/);
      proxy.condition = "well";
      await commitsAnew(heir, PARTITIONS);
      await eventually(async () => expect((await heir.health()).status).toBe("ok"));
      heir.signal("SIGKILL");
      await heir.exited;
    }
    await commitsAnew(stream.start(), PARTITIONS);
    await expectExactlyOnce(stream);
  });

  test("continues when the answers to its manifest writes are lost", async () => {
    for (const answers of [1, 12]) {
      proxy.loseAnswers(answers, manifestWrite);
      const program = stream.start();
      await commitsAnew(program, PARTITIONS);
      await eventually(() => expect(proxy.answersToLose).toBe(0), { limitMs: 60_000 });
      const before = restarts(program);
      proxy.loseAnswers(answers, manifestWrite);
      await eventually(() => expect(proxy.answersToLose).toBe(0), { limitMs: 60_000 });
      await snapshotsAnew(program);
      expect(restarts(program)).toBe(before);
      expect((await program.health()).status).toBe("ok");
      program.signal("SIGKILL");
      await program.exited;
    }
    await commitsAnew(stream.start(), PARTITIONS);
    await expectExactlyOnce(stream);
  });
});
