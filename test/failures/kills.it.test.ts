import { afterEach, describe, expect, jest, test } from "@jest/globals";
import { createLogger } from "../../adapters/log.ts";
import { createDynamo } from "../../processor/adapters/dynamo-client.ts";
import { Recovery } from "../../processor/commands/recover/recovery.ts";
import { portCalls } from "../../processor/engine/intercept.ts";
import { countingMachineFactory } from "../processor/engine/counting-machine.ts";
import { eventually } from "../support/eventually.ts";
import { Stream } from "./harness.ts";
import type { Strike } from "./strikes.ts";
import { commits, expectExactlyOnce, struck } from "./waits.ts";

jest.setTimeout(400_000);

let stream: Stream;
afterEach(() => stream.close());

describe("a processor on real Kafka and DynamoDB", () => {
  test("killed with kill -9 before, within and after each step, one kill after another, gives every output exactly once", async () => {
    stream = await Stream.create();
    stream.feed();
    const first = stream.start();
    await commits(first);
    await eventually(() => expect(first.told.filter((each) => each.snapshot).length).toBeGreaterThan(1));
    first.signal("SIGKILL");
    await first.exited;
    for (const point of portCalls) {
      for (const moment of ["before", "within", "after"] as const) {
        const strike: Strike = {
          point,
          moment,
          occurrence: point === "read" || point === "send" || point === "commit" ? 4 : 1,
          action: "kill",
        };
        const program = stream.start({ strike });
        await struck(program, strike);
        await program.exited;
      }
    }
    const last = stream.start();
    await commits(last);
    await expectExactlyOnce(stream);
  });

  test("comes back after kill -9 within five seconds", async () => {
    stream = await Stream.create();
    stream.feed();
    const first = stream.start();
    await commits(first);
    first.signal("SIGKILL");
    await first.exited;
    const killed = performance.now();
    const second = stream.start();
    await commits(second, 1);
    const milliseconds = Math.round(performance.now() - killed);
    console.log(`first commit ${milliseconds} ms after kill -9, the start of the new process included`);
    await expectExactlyOnce(stream);
  });

  test("asleep as a zombie while another takes over, wakes up and changes nothing", async () => {
    for (const moment of ["before", "within", "after"] as const) {
      stream = await Stream.create();
      stream.feed();
      const strike: Strike = { point: "commit", moment, occurrence: 5, action: "stop" };
      const zombie = stream.start({ strike });
      await struck(zombie, strike);
      const heir = stream.start();
      await commits(heir);
      zombie.signal("SIGCONT");
      await eventually(() => expect(zombie.log).toContain("fenced"), { limitMs: 60_000 });
      await commits(heir, heir.told.filter((each) => each.committed).length + 5).catch(() => undefined);
      await expectExactlyOnce(stream);
      await stream.close();
    }
  });

  test("asleep with a snapshot half written, wakes up too late to have it count", async () => {
    stream = await Stream.create();
    stream.feed();
    const strike: Strike = { point: "segment:put", moment: "after", occurrence: 2, action: "stop" };
    const zombie = stream.start({ strike });
    await struck(zombie, strike);
    const heir = stream.start();
    await commits(heir);
    zombie.signal("SIGCONT");
    await eventually(() => expect(zombie.log).toMatch(/fenced|claimed the snapshot manifest/), { limitMs: 60_000 });
    heir.signal("SIGKILL");
    await heir.exited;
    await commits(stream.start());
    await expectExactlyOnce(stream);
  });

  test("after a commit with unknown outcome begins again and gives every output exactly once", async () => {
    for (const moment of ["before", "after"] as const) {
      stream = await Stream.create();
      stream.feed();
      const strike: Strike = { point: "commit", moment, occurrence: 5, action: "fail" };
      const program = stream.start({ strike });
      await struck(program, strike);
      await eventually(() => expect(program.told.some((each) => each.restarted)).toBe(true));
      await commits(program, program.told.filter((each) => each.committed).length + 5);
      await expectExactlyOnce(stream);
      await stream.close();
    }
  });

  test("goes by its progress record when the coordinator has a wrong group offset", async () => {
    stream = await Stream.create();
    stream.feed();
    const first = stream.start();
    await commits(first);
    await first.end();
    const admin = stream.kafka.admin();
    await admin.connect();
    await admin.setOffsets({
      groupId: stream.given.groupId,
      topic: stream.given.topic,
      partitions: [
        { partition: 0, offset: "0" },
        { partition: 1, offset: "3" },
      ],
    });
    await admin.disconnect();
    await commits(stream.start());
    await expectExactlyOnce(stream);
  });

  test("hands over to a second processor that joins, and takes back when it leaves", async () => {
    stream = await Stream.create({ partitions: 4 });
    stream.feed();
    const first = stream.start();
    await commits(first);
    const second = stream.start();
    await commits(second);
    await second.end();
    await commits(first, first.told.filter((each) => each.committed).length + 10);
    await expectExactlyOnce(stream);
  });

  test("fenced again and again by a processor of another group backs off, and every output is there once", async () => {
    stream = await Stream.create();
    stream.feed();
    const one = stream.start();
    const two = stream.start({ groupId: `${stream.given.groupId}-other` });
    await eventually(() => expect(one.log.includes("joining anew") || two.log.includes("joining anew")).toBe(true), {
      limitMs: 60_000,
    });
    await two.end();
    await commits(one, one.told.filter((each) => each.committed).length + 5);
    const rejoins = one.log.split("joining anew").length + two.log.split("joining anew").length - 2;
    expect(rejoins).toBeLessThan(20);
    await expectExactlyOnce(stream);
  });

  test("stops by name when its code changed and a catch-up gives other outputs, and says so in its health", async () => {
    stream = await Stream.create({ partitions: 1 });
    stream.feed();
    const first = stream.start({ strike: { point: "segment:put", moment: "before", occurrence: 2, action: "kill" } });
    await first.exited; // more is committed than the last snapshot covers
    const second = stream.start({ fingerprint: "v2" });
    await eventually(
      async () => {
        const health = await second.health();
        expect(health.status).toBe("degraded");
        expect(Object.values(health.components)[0]?.detail).toContain("replay-diverged");
      },
      { limitMs: 60_000 },
    );
    const { topic, table: checkpointTable, environment, groupId, delivery, dynamodbEndpoint } = stream.given;
    const dynamodb = createDynamo({ region: "local", dynamodbEndpoint });
    const recovery = new Recovery({
      kafka: stream.kafka,
      dynamodb,
      checkpointTable,
      environment,
      groupId,
      delivery,
      factory: countingMachineFactory(topic, "v2"),
      logger: createLogger("recover", "error"),
    });
    const task = `count/${topic}/0`;
    expect(await recovery.tasks()).toEqual(new Map([[task, 0]]));
    const { problem, choices } = await recovery.diagnose(task, 0);
    expect(problem?.code).toBe("replay-diverged");
    expect(choices).toContain("accept-new-code");
    await recovery.recover(task, 0, "accept-new-code");
    expect((await recovery.diagnose(task, 0)).problem).toBeNull();
    await recovery.close();
    await commits(second);
    expect((await second.health()).status).toBe("ok");
  });

  test("without transactions, killed with kill -9, loses nothing and repeats only with the same ids", async () => {
    stream = await Stream.create({ delivery: "idempotent" });
    stream.feed();
    for (const point of ["commit", "send", "read"] as const) {
      const strike: Strike = { point, moment: "after", occurrence: 6, action: "kill" };
      const program = stream.start({ strike });
      await struck(program, strike);
      await program.exited;
    }
    await commits(stream.start());
    await stream.stopFeeding();
    await eventually(
      async () => {
        const { committed, expected } = await stream.results();
        expect([...new Set(committed)]).toEqual(expected);
      },
      { limitMs: 60_000 },
    );
  });
});
