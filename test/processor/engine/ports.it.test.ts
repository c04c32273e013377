import { afterEach, expect, test } from "@jest/globals";
import { openCluster } from "../../../adapters/kafka-cluster.ts";
import { createLogger } from "../../../adapters/log.ts";
import { createDynamo } from "../../../processor/adapters/dynamo-client.ts";
import { DynamoSnapshots } from "../../../processor/adapters/dynamo-snapshots.ts";
import { KafkaInput } from "../../../processor/adapters/kafka-input.ts";
import { TransactionalOutput } from "../../../processor/adapters/kafka-output.ts";
import type { TaskPorts } from "../../../processor/engine/ports.ts";
import { Stream } from "../../failures/harness.ts";
import { outputTopics } from "./counting-machine.ts";
import { portsContract, type PortsWorld } from "./ports-contract.ts";

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function realPorts(): Promise<PortsWorld & { readonly stream: Stream }> {
  const stream = await Stream.create({ partitions: 1 });
  const { kafka, given } = stream;
  const dynamodb = createDynamo({ region: "local", dynamodbEndpoint: given.dynamodbEndpoint });
  const cluster = openCluster(kafka);
  const input = new KafkaInput(kafka, given.topic, createLogger("test", "error"));
  cleanups.push(
    () => stream.close(),
    () => input.close(),
    () => cluster.disconnect(),
  );
  const task = `count/${given.topic}/0`;
  const outputTopic = outputTopics(given.topic).counts;
  return {
    stream,
    open: (): TaskPorts => {
      const target = {
        task,
        transactionalId: given.topic,
        groupId: given.groupId,
        sourceTopic: given.topic,
        partition: 0,
      };
      const output = new TransactionalOutput(kafka, cluster, target, 15_000);
      cleanups.push(() => output.discard());
      return { input: input.open(0), output, snapshots: new DynamoSnapshots(dynamodb, given.table) };
    },
    append: (values) => stream.append(values.map((value) => ({ key: "k", value, partition: 0 }))),
    committed: async () => (await stream.read(outputTopic, 0)).map(({ value }) => Buffer.from(value!).toString()),
    until: (promise) => promise,
    outputTopic,
    task,
  };
}

portsContract("Kafka and DynamoDB", realPorts);

test("a read at an offset that the log has deleted fails with `input-lost`", async () => {
  const world = await realPorts();
  await world.append(["1", "2", "3", "4"]);
  const admin = world.stream.kafka.admin();
  await admin.connect();
  // kafkajs deletes records only from topics whose metadata it has.
  await admin.fetchTopicOffsets(world.stream.given.topic);
  await admin.deleteTopicRecords({ topic: world.stream.given.topic, partitions: [{ partition: 0, offset: "3" }] });
  await admin.disconnect();
  const { input } = world.open();
  input.seek(1);
  await expect(input.read(30_000)).rejects.toMatchObject({ code: "input-lost" });
  expect(await input.bounds()).toEqual({ earliest: 3, latest: 4 });
});

test("the progress of a task is found behind many newer records of other tasks", async () => {
  const world = await realPorts();
  const first = world.open().output;
  await first.fence();
  await first.claim("t1");
  await first.commit(
    { nextOffset: 7, origin: 0, fingerprint: "f", chain: "c", failed: [{ offset: 3, key: null, message: "why" }] },
    [],
  );
  await world.stream.appendTo(
    "millrace-progress",
    Array.from({ length: 1_000 }, (_, i) => ({ key: `other/${i}`, value: "x", partition: 0 })),
  );
  const second = world.open().output;
  await second.fence();
  expect(await second.claim("t2")).toEqual({
    nextOffset: 7,
    origin: 0,
    fingerprint: "f",
    chain: "c",
    failed: [{ offset: 3, key: null, message: "why" }],
  });
});

test("outputs of several megabytes go into one transaction", async () => {
  const world = await realPorts();
  const { output } = world.open();
  await output.fence();
  await output.claim("t1");
  const large = Array.from({ length: 30 }, (_, i) => ({
    topic: world.outputTopic,
    key: "k",
    value: Buffer.alloc(100_000, 65 + (i % 26)),
    headers: {},
  }));
  await output.send(large);
  await output.commit({ nextOffset: 1, origin: 0, fingerprint: "f", chain: "c", failed: [] }, []);
  expect((await world.committed()).map((value) => value.length)).toEqual(large.map(({ value }) => value.length));
});
