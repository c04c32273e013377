import { connect } from "node:net";
import { afterEach, expect, test } from "@jest/globals";
import { openCluster } from "../../../adapters/kafka-cluster.ts";
import { createKafka } from "../../../adapters/kafka.ts";
import { createLogger } from "../../../adapters/log.ts";
import { KafkaInput, TRICKLE } from "../../../processor/adapters/kafka-input.ts";
import { TransactionalOutput } from "../../../processor/adapters/kafka-output.ts";
import { Stream } from "../../failures/harness.ts";
import { outputTopics } from "../engine/counting-machine.ts";

/** Numbers of requests: https://kafka.apache.org/protocol.html#protocol_api_keys */
const API = { fetch: 1, findCoordinator: 10, addPartitions: 24, addOffsets: 25, endTxn: 26, txnOffsetCommit: 28 };

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A stream of one partition, and a client whose requests are counted by their number. */
async function counted() {
  const stream = await Stream.create({ partitions: 1 });
  cleanups.push(() => stream.close());
  const requests: { readonly number: number; readonly body: string; readonly at: number }[] = [];
  const kafka = createKafka(
    { kafkaBrokers: stream.given.kafkaBrokers, kafkaAuth: "none", region: "local" },
    "counted",
    undefined,
    {
      socketFactory: ({ host, port, onConnect }) => {
        const socket = connect({ host, port }, onConnect);
        const write = socket.write.bind(socket);
        // kafkajs writes each request as one buffer: its length, number, version, correlation id, and the rest.
        socket.write = (...args: unknown[]) => {
          const bytes = args[0] as Buffer;
          requests.push({ number: bytes.readInt16BE(4), body: bytes.toString("latin1", 12), at: performance.now() });
          return (write as (...given: unknown[]) => boolean)(...args);
        };
        return socket;
      },
    },
  );
  const bodies = (name: keyof typeof API) => requests.flatMap(({ number, body }) => (number === API[name] ? body : []));
  const times = (name: keyof typeof API) => requests.flatMap(({ number, at }) => (number === API[name] ? at : []));
  return { stream, kafka, bodies, times, sent: (name: keyof typeof API) => bodies(name).length };
}

test("records that trickle come several to a fetch", async () => {
  const { stream, kafka, times } = await counted();
  const input = new KafkaInput(kafka, stream.given.topic, createLogger("test", "error"));
  cleanups.push(() => input.close());
  const reader = input.open(0);
  const records = Array.from({ length: 300 }, (_, i) => ({ key: "k", value: `${i}`, partition: 0 }));
  await stream.append(records.splice(0, 1));
  reader.seek(0);
  let read = (await reader.read(30_000)).length;
  const append = async (): Promise<void> => {
    for (const record of records) await stream.append([record]);
  };
  const appended = append();
  while (read < 300) read += (await reader.read(1_000)).length;
  await appended;
  const apart = times("fetch")
    .slice(1)
    .map((at, i) => at - times("fetch")[i]!);
  expect(apart.length).toBeGreaterThan(1);
  // A timer of Node may be a millisecond early.
  expect(Math.min(...apart)).toBeGreaterThanOrEqual(TRICKLE.lingerMs - 1);
  reader.close();
});

test("a transaction adds its topics at once, from the second on, and the group's offset where asked to", async () => {
  const { stream, kafka, bodies, sent } = await counted();
  const { topic, groupId } = stream.given;
  const cluster = openCluster(kafka);
  cleanups.push(() => cluster.disconnect());
  const task = `count/${topic}/0`;
  const target = { task, transactionalId: topic, groupId, sourceTopic: topic, partition: 0 };
  const output = new TransactionalOutput(kafka, cluster, target, 15_000);
  cleanups.push(() => output.discard());
  const { counts, thirds } = outputTopics(topic);
  const record = (to: string) => ({ topic: to, key: "k", value: Buffer.from("x"), headers: {} });
  const transaction = async (offset: number, to: readonly string[], withGroupOffset: boolean) => {
    const before = sent("addPartitions");
    for (const each of to) await output.send([record(each)]);
    const progress = { nextOffset: offset, origin: 0, fingerprint: "f", chain: "c", failed: [] };
    await output.commit(progress, [], withGroupOffset);
    // The coordinator may ask to repeat one: it is still writing the markers of the transaction before.
    return new Set(bodies("addPartitions").slice(before)).size;
  };
  await output.fence();
  await output.claim("t1");
  const requests = [
    await transaction(1, [counts, thirds], true),
    await transaction(2, [counts, thirds], false),
    await transaction(3, [thirds], false),
    await transaction(4, [counts, thirds], false),
  ];
  expect(requests).toEqual([2, 1, 1, 1]);
  expect([sent("addOffsets"), sent("txnOffsetCommit"), sent("endTxn")]).toEqual([1, 1, 5]);
  expect(sent("findCoordinator")).toBeLessThan(5 * 2);
  for (const to of [counts, thirds]) expect(await stream.read(to, 0)).toHaveLength(to === counts ? 3 : 4);
});
