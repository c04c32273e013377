import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { DynamoProxy, type DynamoCondition, type DynamoRequest } from "../support/dynamodb-proxy.ts";
import { eventually } from "../support/eventually.ts";
import { sharedServers } from "../support/servers.ts";
import { Stream, type Program } from "./harness.ts";
import { commits, commitsAnew, expectExactlyOnce } from "./waits.ts";

jest.setTimeout(120_000);

const PARTITIONS = 2;
/** At ten commits a second and partition, this takes longer than several snapshot intervals. */
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

const committed = (program: Program): number => program.told.filter((each) => each.committed).length;
const restarts = (program: Program): number => program.told.filter((each) => each.restarted).length;

/** Resolves when a snapshot of every partition has been written, counted from now. */
async function snapshotsAnew(program: Program): Promise<void> {
  const from = program.told.length;
  await eventually(
    () => expect(new Set(program.told.slice(from).flatMap(({ snapshot }) => snapshot ?? [])).size).toBe(PARTITIONS),
    { limitMs: 60_000 },
  );
}

/** Resolves when so many requests have met a condition of DynamoDB, counted from now. */
async function meets(condition: DynamoCondition, requests: number): Promise<void> {
  const from = proxy.met.get(condition) ?? 0;
  await eventually(() => expect(proxy.met.get(condition) ?? 0).toBeGreaterThanOrEqual(from + requests), {
    limitMs: 60_000,
  });
}

const manifestWrite = ({ operation, body }: DynamoRequest): boolean =>
  operation === "PutItem" && body.includes('"manifest/');

describe("a processor whose DynamoDB is in trouble", () => {
  test("commits on while it refuses, is slow, is down or never answers, and writes snapshots when it is well again", async () => {
    const program = stream.start();
    await snapshotsAnew(program);
    for (const condition of ["throughput exceeded", "throttled", "internal error", "down", "slow", "silent"] as const) {
      proxy.condition = condition;
      await meets(condition, 1);
      await commits(program, committed(program) + PARTITIONS * MANY_COMMITS);
      proxy.condition = "well";
      await snapshotsAnew(program);
    }
    expect(restarts(program)).toBe(0);
    await expectExactlyOnce(stream);
  });

  test("killed with kill -9 while DynamoDB is in trouble, is started and waits without stopping by name until it is well", async () => {
    for (const condition of ["throughput exceeded", "down"] as const) {
      const killed = stream.start();
      await snapshotsAnew(killed);
      proxy.condition = condition;
      await commits(killed, committed(killed) + PARTITIONS * 5);
      killed.signal("SIGKILL");
      await killed.exited;
      const heir = stream.start();
      await eventually(
        () => expect(new Set(heir.told.flatMap(({ restarted }) => restarted ?? [])).size).toBe(PARTITIONS),
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

  test("goes on when the answers to manifest writes get lost, of its claim and of its snapshots", async () => {
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
