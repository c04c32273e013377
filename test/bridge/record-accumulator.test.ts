import { describe, expect, test } from "@jest/globals";
import { RecordAccumulator, type AccumulatorOptions, type RecordSender } from "../../bridge/record-accumulator.ts";
import type { BridgeRecord } from "../../bridge/to-record.ts";
import { eventually } from "../support/eventually.ts";

/** A Kafka that keeps what it receives. Each entry of `failures` makes one send fail, before or after the write. */
class FakeKafka implements RecordSender {
  readonly batches: string[][] = [];
  readonly failures: ("before" | "after")[] = [];
  /** Records with one of these keys are refused for good, as kafkajs says it. */
  readonly refused = new Set<string>();
  restarts = 0;
  sends = 0;
  hold: Promise<void> = Promise.resolve();

  async send(records: readonly BridgeRecord[]): Promise<void> {
    this.sends++;
    await this.hold;
    const failure = this.failures.shift();
    if (failure === "before") throw new Error("not written");
    if (records.some(({ key }) => this.refused.has(String(key))))
      throw new Error("KafkaJSNonRetriableError", {
        cause: Object.assign(new Error("The request included a message larger than the max message size"), {
          type: "MESSAGE_TOO_LARGE",
        }),
      });
    this.batches.push(records.map(({ key }) => String(key)));
    if (failure === "after") throw new Error("written, but the answer was lost");
  }

  async restart(): Promise<void> {
    this.restarts++;
  }
}

function start(
  kafka: RecordSender,
  options: Partial<AccumulatorOptions> = {},
): {
  accumulator: RecordAccumulator;
  acknowledged: string[];
  refused: string[];
  add: (name: string, source?: string, bytes?: number) => void;
} {
  const accumulator = new RecordAccumulator(kafka, {
    lingerMs: 1,
    maxBatchBytes: 900_000,
    maxBatchRecords: 1_000,
    retryDelayMs: () => 1,
    onFailure: () => undefined,
    ...options,
  });
  const acknowledged: string[] = [];
  const refused: string[] = [];
  void accumulator.run();
  return {
    accumulator,
    acknowledged,
    refused,
    add: (name, source = "client", bytes = 10) =>
      accumulator.add({
        record: { topic: "imu-data-all", key: Buffer.from(name), value: Buffer.alloc(bytes), headers: {} },
        source,
        onStored: () => acknowledged.push(name),
        onRefused: ({ message }) => refused.push(`${name}: ${message}`),
      }),
  };
}

describe("the record accumulator", () => {
  test("acknowledges a message only after Kafka has it", async () => {
    const kafka = new FakeKafka();
    const held = Promise.withResolvers<void>();
    kafka.hold = held.promise;
    const { accumulator, acknowledged, add } = start(kafka);
    add("a");
    await eventually(() => expect(accumulator.size).toBe(1));
    expect(acknowledged).toEqual([]);
    held.resolve();
    await eventually(() => expect(acknowledged).toHaveLength(1));
    expect(kafka.batches).toEqual([["a"]]);
    accumulator.close();
  });

  test("sends again by a new producer, in order, until Kafka has it; nothing overtakes", async () => {
    const kafka = new FakeKafka();
    kafka.failures.push("before", "after", "before");
    const { accumulator, acknowledged, add } = start(kafka, { maxBatchRecords: 2 });
    for (const name of ["a", "b", "c"]) add(name);
    await eventually(() => expect(acknowledged).toHaveLength(3));
    // The second attempt was written although its answer was lost: a duplicate, which downstream drops.
    expect(kafka.batches).toEqual([["a", "b"], ["a", "b"], ["c"]]);
    expect(kafka.restarts).toBe(3);
    expect(acknowledged).toEqual(["a", "b", "c"]);
    expect(accumulator.unacknowledgedMs).toBe(0);
    accumulator.close();
  });

  test("finds the records that Kafka refuses for good, and stores all others of their batch", async () => {
    const kafka = new FakeKafka();
    kafka.refused.add("c").add("f");
    const { accumulator, acknowledged, refused, add } = start(kafka, { lingerMs: 20 });
    for (const name of ["a", "b", "c", "d", "e", "f", "g"]) add(name);
    await eventually(() => expect(accumulator.size).toBe(0));
    expect(acknowledged).toEqual(["a", "b", "d", "e", "g"]);
    expect(refused).toEqual(
      ["c", "f"].map((name) => `${name}: The request included a message larger than the max message size`),
    );
    expect(kafka.batches.flat()).toEqual(["a", "b", "d", "e", "g"]);
    expect(kafka.restarts).toBe(0);
    expect(accumulator.unacknowledgedMs).toBe(0);
    accumulator.close();
  });

  test("weighs what waits and what is being sent", async () => {
    const kafka = new FakeKafka();
    const held = Promise.withResolvers<void>();
    kafka.hold = held.promise;
    const { accumulator, add } = start(kafka, { maxBatchRecords: 1 });
    add("a", "one", 10_000);
    add("b", "one", 20_000);
    add("c", "two", 40_000);
    expect(accumulator.bytes).toBeGreaterThanOrEqual(70_000);
    expect(accumulator.bytes).toBeLessThan(71_000);
    await eventually(() => expect(kafka.sends).toBe(1));
    accumulator.discard("one");
    expect(accumulator.bytes).toBeGreaterThanOrEqual(50_000);
    expect(accumulator.bytes).toBeLessThan(51_000);
    held.resolve();
    await eventually(() => expect(accumulator.bytes).toBe(0));
    accumulator.close();
  });

  test("keeps batches below the size that Kafka takes", async () => {
    const kafka = new FakeKafka();
    const { accumulator, acknowledged, add } = start(kafka, { lingerMs: 20 });
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
    accumulator.close();
  });

  test("discards the waiting records of one connection, not those in flight and not those of the others", async () => {
    const kafka = new FakeKafka();
    const held = Promise.withResolvers<void>();
    kafka.hold = held.promise;
    const { accumulator, acknowledged, add } = start(kafka, { maxBatchRecords: 1 });
    add("a", "one");
    await eventually(() => expect(accumulator.size).toBe(1));
    await new Promise((resolve) => setImmediate(resolve));
    add("b", "one");
    add("c", "two");
    expect(accumulator.discard("one")).toBe(1);
    expect(accumulator.size).toBe(2);
    held.resolve();
    await eventually(() => expect(acknowledged).toHaveLength(2));
    expect(acknowledged).toEqual(["a", "c"]);
    accumulator.close();
  });

  test("says how long Kafka has not acknowledged, and stops trying when it is closed", async () => {
    const kafka = new FakeKafka();
    kafka.failures.push(...Array.from({ length: 10_000 }, () => "before" as const));
    const attempts: number[] = [];
    const { accumulator, acknowledged, add } = start(kafka, { onFailure: (_, attempt) => attempts.push(attempt) });
    add("a");
    await eventually(() => expect(attempts.length).toBeGreaterThanOrEqual(3));
    expect(attempts.slice(0, 3)).toEqual([1, 2, 3]);
    expect(accumulator.unacknowledgedMs).toBeGreaterThan(0);
    accumulator.close();
    const made = attempts.length;
    await eventually(() => expect(accumulator.size).toBe(0));
    expect(attempts.length).toBeLessThanOrEqual(made + 1);
    expect(acknowledged).toEqual([]);
  });
});
