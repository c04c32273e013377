import { describe, expect, test } from "@jest/globals";
import { Outbox, type OutboxOptions, type RecordSender } from "../../bridge/outbox.ts";
import type { BridgeRecord } from "../../bridge/to-record.ts";
import { eventually } from "../support/eventually.ts";

/** A Kafka that keeps what it is sent, and fails as it is told: before it writes, or after. */
class FakeKafka implements RecordSender {
  readonly batches: string[][] = [];
  readonly failures: ("before" | "after")[] = [];
  restarts = 0;
  hold: Promise<void> = Promise.resolve();

  async send(records: readonly BridgeRecord[]): Promise<void> {
    await this.hold;
    const failure = this.failures.shift();
    if (failure === "before") throw new Error("not written");
    this.batches.push(records.map(({ key }) => String(key)));
    if (failure === "after") throw new Error("written, but the answer was lost");
  }

  async restart(): Promise<void> {
    this.restarts++;
  }
}

function outbox(
  kafka: RecordSender,
  options: Partial<OutboxOptions> = {},
): { outbox: Outbox; acknowledged: string[]; add: (name: string, source?: string, bytes?: number) => void } {
  const box = new Outbox(kafka, {
    lingerMs: 1,
    maxBatchBytes: 900_000,
    maxBatchRecords: 1_000,
    retryDelayMs: () => 1,
    onFailure: () => undefined,
    ...options,
  });
  const acknowledged: string[] = [];
  void box.run();
  return {
    outbox: box,
    acknowledged,
    add: (name, source = "client", bytes = 10) =>
      box.add({
        record: { topic: "imu-data-all", key: Buffer.from(name), value: Buffer.alloc(bytes), headers: {} },
        source,
        onStored: () => acknowledged.push(name),
      }),
  };
}

describe("the outbox", () => {
  test("acknowledges a message only after Kafka has it", async () => {
    const kafka = new FakeKafka();
    const held = Promise.withResolvers<void>();
    kafka.hold = held.promise;
    const { outbox: box, acknowledged, add } = outbox(kafka);
    add("a");
    await eventually(() => expect(box.size).toBe(1));
    expect(acknowledged).toEqual([]);
    held.resolve();
    await eventually(() => expect(acknowledged).toHaveLength(1));
    expect(kafka.batches).toEqual([["a"]]);
    box.close();
  });

  test("sends again by a new producer, in order, until Kafka has it; nothing overtakes", async () => {
    const kafka = new FakeKafka();
    kafka.failures.push("before", "after", "before");
    const { outbox: box, acknowledged, add } = outbox(kafka, { maxBatchRecords: 2 });
    for (const name of ["a", "b", "c"]) add(name);
    await eventually(() => expect(acknowledged).toHaveLength(3));
    // The second attempt was written although its answer was lost: a duplicate, which downstream drops.
    expect(kafka.batches).toEqual([["a", "b"], ["a", "b"], ["c"]]);
    expect(kafka.restarts).toBe(3);
    expect(acknowledged).toEqual(["a", "b", "c"]);
    expect(box.unacknowledgedMs).toBe(0);
    box.close();
  });

  test("keeps batches below the size that Kafka takes", async () => {
    const kafka = new FakeKafka();
    const { outbox: box, acknowledged, add } = outbox(kafka, { lingerMs: 20 });
    for (const [name, bytes] of [
      ["a", 400_000],
      ["b", 400_000],
      ["c", 400_000],
      ["d", 990_000],
      ["e", 1],
    ] as const)
      add(name, "client", bytes);
    await eventually(() => expect(acknowledged).toHaveLength(5));
    expect(kafka.batches).toEqual([["a", "b"], ["c"], ["d"], ["e"]]);
    box.close();
  });

  test("forgets what waits of a connection that gets it again, not what is under way and not the others'", async () => {
    const kafka = new FakeKafka();
    const held = Promise.withResolvers<void>();
    kafka.hold = held.promise;
    const { outbox: box, acknowledged, add } = outbox(kafka, { maxBatchRecords: 1 });
    add("a", "one");
    await eventually(() => expect(box.size).toBe(1));
    await new Promise((resolve) => setImmediate(resolve));
    add("b", "one");
    add("c", "two");
    expect(box.discard("one")).toBe(1);
    expect(box.size).toBe(2);
    held.resolve();
    await eventually(() => expect(acknowledged).toHaveLength(2));
    expect(acknowledged).toEqual(["a", "c"]);
    box.close();
  });

  test("says how long Kafka has not acknowledged, and stops trying when it is closed", async () => {
    const kafka = new FakeKafka();
    kafka.failures.push(...Array.from({ length: 10_000 }, () => "before" as const));
    const attempts: number[] = [];
    const { outbox: box, acknowledged, add } = outbox(kafka, { onFailure: (_, attempt) => attempts.push(attempt) });
    add("a");
    await eventually(() => expect(attempts.length).toBeGreaterThanOrEqual(3));
    expect(attempts.slice(0, 3)).toEqual([1, 2, 3]);
    expect(box.unacknowledgedMs).toBeGreaterThan(0);
    box.close();
    const made = attempts.length;
    await eventually(() => expect(box.size).toBe(0));
    expect(attempts.length).toBeLessThanOrEqual(made + 1);
    expect(acknowledged).toEqual([]);
  });
});
