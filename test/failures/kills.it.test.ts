import { afterEach, describe, expect, jest, test } from "@jest/globals";
import { createLogger } from "../../adapters/log.ts";
import { createDynamo } from "../../processor/adapters/dynamo-client.ts";
import { Recovery } from "../../processor/commands/recover/recovery.ts";
import { portCalls } from "../../processor/engine/intercept.ts";
import { countingMachineFactory, outputTopics } from "../processor/engine/counting-machine.ts";
import { eventually } from "../support/eventually.ts";
import { Stream } from "./harness.ts";
import type { InjectedFault } from "./inject-fault.ts";
import { commits, commitCount, expectExactlyOnce, faultInjected } from "./waits.ts";

jest.setTimeout(400_000);

let stream: Stream;
const text = (bytes: Uint8Array | null): string => Buffer.from(bytes!).toString();
afterEach(() => stream.close());

describe("a processor on real Kafka and DynamoDB", () => {
  test("gives every output exactly once through a `kill -9` before, within and after each call to a port", async () => {
    stream = await Stream.create();
    stream.feed();
    const first = stream.start();
    await commits(first);
    await eventually(() => expect(first.events.filter((each) => each.snapshot).length).toBeGreaterThan(1));
    first.signal("SIGKILL");
    await first.exited;
    for (const point of portCalls) {
      for (const moment of ["before", "within", "after"] as const) {
        const fault: InjectedFault = {
          point,
          moment,
          occurrence: point === "read" || point === "send" || point === "commit" ? 4 : 1,
          action: "kill",
        };
        const program = stream.start({ fault });
        await faultInjected(program, fault);
        await program.exited;
      }
    }
    const last = stream.start();
    await commits(last);
    await expectExactlyOnce(stream);
  });

  test("commits again after `kill -9`", async () => {
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

  test("changes nothing when it wakes up as a zombie after another took over", async () => {
    for (const moment of ["before", "within", "after"] as const) {
      stream = await Stream.create();
      stream.feed();
      const fault: InjectedFault = { point: "commit", moment, occurrence: 5, action: "stop" };
      const zombie = stream.start({ fault });
      await faultInjected(zombie, fault);
      const heir = stream.start();
      await commits(heir);
      zombie.signal("SIGCONT");
      await eventually(() => expect(zombie.log).toContain("fenced"), { limitMs: 60_000 });
      await commits(heir, commitCount(heir) + 5).catch(() => undefined);
      await expectExactlyOnce(stream);
      await stream.close();
    }
  });

  test("loses its half-written snapshot when it wakes up after another took over", async () => {
    stream = await Stream.create();
    stream.feed();
    const fault: InjectedFault = { point: "segment:put", moment: "after", occurrence: 2, action: "stop" };
    const zombie = stream.start({ fault });
    await faultInjected(zombie, fault);
    const heir = stream.start();
    await commits(heir);
    zombie.signal("SIGCONT");
    await eventually(() => expect(zombie.log).toMatch(/fenced|claimed the snapshot manifest/), { limitMs: 60_000 });
    heir.signal("SIGKILL");
    await heir.exited;
    await commits(stream.start());
    await expectExactlyOnce(stream);
  });

  test("restarts after a commit with unknown outcome and gives every output exactly once", async () => {
    for (const moment of ["before", "after"] as const) {
      stream = await Stream.create();
      stream.feed();
      const fault: InjectedFault = { point: "commit", moment, occurrence: 5, action: "fail" };
      const program = stream.start({ fault });
      await faultInjected(program, fault);
      await eventually(() => expect(program.events.some((each) => each.restarted)).toBe(true));
      await commits(program, commitCount(program) + 5);
      await expectExactlyOnce(stream);
      await stream.close();
    }
  });

  test("follows its progress record when the coordinator has a wrong group offset", async () => {
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

  test("hands partitions over to a second processor that joins, and takes them back when it leaves", async () => {
    stream = await Stream.create({ partitions: 4 });
    stream.feed();
    const first = stream.start();
    await commits(first);
    const second = stream.start();
    await commits(second);
    await second.end();
    await commits(first, commitCount(first) + 10);
    await expectExactlyOnce(stream);
  });

  test("backs off when another group keeps fencing it, and gives every output exactly once", async () => {
    stream = await Stream.create();
    stream.feed();
    const one = stream.start();
    const two = stream.start({ groupId: `${stream.given.groupId}-other` });
    await eventually(() => expect(one.log.includes("joining anew") || two.log.includes("joining anew")).toBe(true), {
      limitMs: 60_000,
    });
    await two.end();
    await commits(one, commitCount(one) + 5);
    const rejoins = one.log.split("joining anew").length + two.log.split("joining anew").length - 2;
    expect(rejoins).toBeLessThan(20);
    await expectExactlyOnce(stream);
  });

  test("waits, also in its health, until the version before has caught up, when it gives other outputs", async () => {
    stream = await Stream.create({ partitions: 1 });
    stream.feed();
    const dynamodb = createDynamo({ region: "local", dynamodbEndpoint: stream.given.dynamodbEndpoint });
    const { topic, table: checkpointTable, environment, groupId, delivery } = stream.given;
    const task = `count/${topic}/0`;
    const recoveryBy = (version: string): Recovery =>
      new Recovery({
        kafka: stream.kafka,
        dynamodb,
        checkpointTable,
        environment,
        groupId,
        delivery,
        factory: countingMachineFactory(topic, version),
        logger: createLogger("recover", "error"),
      });
    const [before, after] = [recoveryBy("v1"), recoveryBy("tens")];
    expect(await after.tasks()).toEqual(new Map([[task, 0]]));
    await before.tasks();
    // More is committed than the last snapshot covers.
    const fault: InjectedFault = { point: "segment:put", moment: "before", occurrence: 2, action: "kill" };
    await stream.start({ fault }).exited;
    const next = stream.start({ fingerprint: "tens" });
    await eventually(
      async () => {
        const health = await next.health();
        expect(health.status).toBe("down"); // its only task can't run
        expect(Object.values(health.components)[0]?.detail).toContain("committed-by-other-code");
      },
      { limitMs: 60_000 },
    );
    const { problem, choices } = await after.diagnose(task, 0);
    expect(problem?.message).toContain("by version v1 (code v1)");
    expect(choices).toContain("accept-new-code");
    expect(await after.catchUp(task, 0)).toBe("other-code");
    expect(await before.catchUp(task, 0)).toBe("caught-up");
    expect((await after.diagnose(task, 0)).problem).toBeNull();
    await commits(next);
    expect((await next.health()).status).toBe("ok");
    await stream.stopFeeding();
    const recordCount = (await stream.read(topic, 0)).length;
    const counts = await eventually(() => stream.read(outputTopics(topic).counts, 0), {
      until: (records) => records.length >= recordCount,
      limitMs: 60_000,
    });
    expect(counts).toHaveLength(recordCount);
    // Each count is one or ten above the one before of its key, and once it is ten it stays so.
    const last = new Map<string, number>();
    const steps = counts.map(({ key, value }) => {
      const [name, count] = [text(key), Number(text(value).split(" ")[1])];
      const step = count - (last.get(name) ?? 0);
      last.set(name, count);
      return step;
    });
    expect([...new Set(steps)]).toEqual([1, 10]);
    expect(steps).toEqual(steps.toSorted((a, b) => a - b));
    await Promise.all([before.close(), after.close()]);
    dynamodb.destroy();
  });

  test("without transactions, loses nothing through `kill -9` and repeats outputs with their ids only", async () => {
    stream = await Stream.create({ delivery: "idempotent" });
    stream.feed();
    for (const point of ["commit", "send", "read"] as const) {
      const fault: InjectedFault = { point, moment: "after", occurrence: 6, action: "kill" };
      const program = stream.start({ fault });
      await faultInjected(program, fault);
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
