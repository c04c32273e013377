import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { createLogger } from "../../adapters/log.ts";
import { KafkaSender } from "../../bridge/adapters/kafka-sender.ts";
import { RecordAccumulator } from "../../bridge/record-accumulator.ts";
import { KafkaInput } from "../../processor/adapters/kafka-input.ts";
import { eventually } from "../support/eventually.ts";
import { KafkaCluster } from "../support/kafka-cluster.ts";
import { Stream } from "./harness.ts";
import { commitsAnew, expectExactlyOnce } from "./waits.ts";

jest.setTimeout(300_000);

let cluster: KafkaCluster;
let stream: Stream;
beforeAll(async () => {
  cluster = await KafkaCluster.start();
});
afterEach(() => stream.close());
afterAll(() => cluster.stop());

describe("with three brokers", () => {
  test("a processor survives the kill or stop of any broker and gives every output exactly once", async () => {
    stream = await Stream.create({ partitions: 3, servers: cluster });
    stream.feed();
    const program = stream.start();
    await commitsAnew(program, 3);
    for (const [broker, how] of [
      [0, "kill"],
      [1, "kill"],
      [2, "kill"],
      [0, "stop"],
    ] as const) {
      await cluster.brokers[broker]![how]();
      const away = performance.now();
      await commitsAnew(program, 3);
      const tookMs = Math.round(performance.now() - away);
      console.log(`broker ${broker + 1}, ${how}: all partitions committed again after ${tookMs} ms`);
      await cluster.brokers[broker]!.start();
      await cluster.inSync();
    }
    await commitsAnew(program, 3);
    expect(program.alive).toBe(true);
    await eventually(async () => expect((await program.health()).status).toBe("ok"));
    await expectExactlyOnce(stream);
  });

  test("reading continues when a partition moves to another broker and another partition stays", async () => {
    stream = await Stream.create({ partitions: 2, servers: cluster });
    const { topic } = stream.given;
    await cluster.assign(topic, [
      [1, 2, 3],
      [1, 2, 3],
    ]);
    const input = new KafkaInput(stream.kafka, topic, createLogger("test", "error"));
    const readers = [input.open(0), input.open(1)];
    const readsOn = async (value: string): Promise<void> => {
      for (const [partition, reader] of readers.entries()) {
        await stream.append([{ key: "k", value, partition }]);
        await eventually(async () =>
          expect((await reader.read(1_000)).map((record) => Buffer.from(record.value!).toString())).toContain(value),
        );
      }
    };
    try {
      for (const reader of readers) reader.seek(0);
      await readsOn("before");
      await cluster.assign(topic, [
        [1, 2, 3],
        [2, 3],
      ]);
      await readsOn("after");
    } finally {
      for (const reader of readers) reader.close();
      await input.close();
    }
  });

  test("every record that the bridge reports as stored is in the log, across many changes of leader", async () => {
    stream = await Stream.create({ partitions: 2, servers: cluster });
    const { topic } = stream.given;
    const sender = new KafkaSender(stream.kafka);
    const accumulator = new RecordAccumulator(sender, {
      lingerMs: 1,
      maxBatchBytes: 900_000,
      maxBatchRecords: 100,
      retryDelayMs: () => 10,
      onFailure: () => undefined,
    });
    const running = accumulator.run();
    const stored: string[] = [];
    let added = 0;
    const feeding = setInterval(() => {
      if (accumulator.size >= 100) return;
      for (const partition of [0, 1]) {
        const value = `${partition}/${added++}`;
        accumulator.add({
          record: { topic, partition, key: null, value: Buffer.from(value), headers: {} },
          source: "test",
          onStored: () => stored.push(value),
          onRefused: () => undefined,
        });
      }
    }, 1);
    try {
      for (let lap = 0; lap < 8; lap++) await cluster.assign(topic, [[1, 2], lap % 2 === 0 ? [2, 3] : [1, 3]]);
      clearInterval(feeding);
      await eventually(() => expect(accumulator.size).toBe(0));
      const log = new Set(
        (await Promise.all([0, 1].map((partition) => stream.read(topic, partition))))
          .flat()
          .map(({ value }) => Buffer.from(value!).toString()),
      );
      expect(stored).toHaveLength(added);
      expect(stored.filter((value) => !log.has(value))).toEqual([]);
    } finally {
      clearInterval(feeding);
      accumulator.close();
      await sender.close();
    }
    await running;
  });
});
