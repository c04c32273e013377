import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { Cluster } from "kafkajs";
import { openCluster } from "../../../../adapters/kafka-cluster.ts";
import { InputSearch } from "../../../../processor/commands/trace/search.ts";
import { testKafka } from "../../../bridge/harness.ts";
import { append, createTopics } from "../../../support/kafka-topics.ts";
import { sharedServers } from "../../../support/servers.ts";

const TOPIC = `trace-search-${process.pid}`;
const EVER = { from: 0, to: Infinity };
/** So small that the place of each number has to be guessed. */
const bounds = { readThrough: 50, before: 8, behind: 12 };

let cluster: Cluster;

/** Offset 4 n + i: the n-th message of sensor i. Each boots anew at its 50th; `s0` sends its 20th again at the end. */
beforeAll(async () => {
  const { kafkaBrokers } = sharedServers();
  await createTopics(kafkaBrokers, [TOPIC]);
  const value = (n: number): string =>
    JSON.stringify({ seq: n < 50 ? n : n - 50, boot: n < 50 ? "b1" : "b2", t: 1, samples: [[0, 0, 0, 0, 0, 0]] });
  const messages = Array.from({ length: 100 }, (_, n) =>
    [0, 1, 2, 3].map((i) => ({ key: `s${i}`, value: value(n) })),
  ).flat();
  await append(kafkaBrokers, TOPIC, [...messages, { key: "s0", value: value(20) }]);
  cluster = openCluster(testKafka(kafkaBrokers));
}, 60_000);
afterAll(() => cluster?.disconnect());

const offsets = async (seq: number, boot: string | null, given = bounds): Promise<readonly [number[], boolean]> => {
  const search = new InputSearch(cluster, "sensor", TOPIC, given);
  const { records, complete } = await search.byIdentity({ key: "s0", seq, boot, tradeId: null }, EVER);
  return [records.map(({ offset }) => offset), complete];
};

test.each([0, 1, 20, 30, 49])("number %d is found near its guessed place, in the boot that is given", async (seq) => {
  expect(await offsets(seq, "b2")).toEqual([[4 * (50 + seq)], false]);
});

test("a copy elsewhere is found where all is read", async () => {
  expect(await offsets(20, "b1", { ...bounds, readThrough: 1_000 })).toEqual([[80, 400], true]);
});

test("a number that is not at its place is looked for everywhere, and its neighbours are told", async () => {
  expect(await offsets(60, "b1")).toEqual([[], true]);
  const search = new InputSearch(cluster, "sensor", TOPIC, bounds);
  const found = await search.byIdentity({ key: "s0", seq: 60, boot: "b1", tradeId: null }, EVER);
  expect([found.before?.seq, found.after]).toEqual([49, null]);
});
