import { tmpdir } from "node:os";
import { afterEach, expect, test } from "@jest/globals";
import { crc32c } from "@node-rs/crc32";
import type { MSKEvent } from "aws-lambda";
import { createLogger } from "../../../adapters/log.ts";
import { Metrics } from "../../../adapters/metrics.ts";
import { groupLags } from "../../../local/event-source/lag.ts";
import { Poller } from "../../../local/event-source/poller.ts";
import { eventually } from "../../support/eventually.ts";
import { batchAt, FakeCluster, type FakeLog } from "./fake-cluster.ts";

const HOUR_MS = 3_600_000;
let poller: Poller | undefined;
afterEach(async () => {
  await poller?.stop();
  poller = undefined;
});

/** Polls once in an hour, unless a partition has more. */
function poll(kafka: FakeCluster, events: string[][] = []): Poller {
  poller = new Poller({
    mapping: {
      functionName: "f",
      topic: "t",
      consumerGroup: "g",
      batchSize: 100,
      batchingWindowMs: HOUR_MS,
      maximumRetryAttempts: 2,
      maximumRecordAgeMs: -1,
      bisectBatchOnError: true,
    },
    invoke: async (event) => {
      const records = Object.values((event as MSKEvent).records).flat();
      events.push(records.map(({ value }) => Buffer.from(value, "base64").toString()));
    },
    cluster: kafka.cluster,
    brokers: "b",
    onFailureDir: tmpdir(),
    log: createLogger("test", "fatal"),
    metrics: new Metrics(),
  });
  poller.start();
  return poller;
}

const log = (...batches: Buffer[]): FakeLog => ({ start: 0, batches });

test("what all partitions have comes in one event, and the broker need not hold the fetch", async () => {
  const kafka = new FakeCluster([log(batchAt(0, ["a", "b"])), log(), log(batchAt(0, ["c"]))]);
  const events: string[][] = [];
  poll(kafka, events);
  await eventually(() => kafka.committed.size, { until: (size) => size === 2 });
  expect(events).toEqual([["a", "b", "c"]]);
  expect([...kafka.committed].toSorted(([a], [b]) => a - b)).toEqual([
    [0, 2],
    [2, 1],
  ]);
  expect(kafka.maxWaits).toEqual([0]);
});

test("a partition that has more is fetched again when it is done, without waiting for the window", async () => {
  const kafka = new FakeCluster([log(batchAt(0, ["a"]), batchAt(1, ["b"]), batchAt(2, ["c"])), log(batchAt(0, ["x"]))]);
  const events: string[][] = [];
  poll(kafka, events);
  await eventually(() => kafka.committed.get(0), { until: (offset) => offset === 3 });
  expect(events).toEqual([["a", "x"], ["b"], ["c"]]);
});

test("delivery begins behind what the group has committed, and at the log's start where that is gone", async () => {
  const gone: FakeLog = { start: 5, batches: [batchAt(5, ["f"])] };
  const kafka = new FakeCluster(
    [log(batchAt(0, ["a"]), batchAt(1, ["b"])), gone],
    [
      [0, 1],
      [1, 2],
    ],
  );
  const events: string[][] = [];
  poll(kafka, events);
  await eventually(() => events.flat(), { until: (seen) => seen.includes("b") && seen.includes("f") });
  expect(events.flat().toSorted()).toEqual(["b", "f"]);
});

test("a batch that can't be decoded stops its partition behind what came before, and no other", async () => {
  const broken = batchAt(1, ["lost"]);
  broken[broken.length - 1]! ^= 1;
  const kafka = new FakeCluster([log(batchAt(0, ["a"]), broken), log(batchAt(0, ["b"]), batchAt(1, ["c"]))]);
  const events: string[][] = [];
  const running = poll(kafka, events);
  await eventually(() => kafka.committed.get(1), { until: (offset) => offset === 2 });
  expect(events.flat()).toEqual(["a", "b", "c"]);
  expect(running.problem).toContain("t/0: the record batch at offset 1 can't be decoded");
  await running.stop();
  expect(kafka.committed.get(0)).toBe(1);
});

test("transaction markers alone are no event, and are committed", async () => {
  const marker = batchAt(0, [""]);
  marker.writeInt16BE(0x30, 21); // transactional, control
  marker.writeUInt32BE(crc32c(marker.subarray(21)), 17);
  const kafka = new FakeCluster([log(marker)]);
  const events: string[][] = [];
  poll(kafka, events);
  await eventually(() => kafka.committed.get(0), { until: (offset) => offset === 1 });
  expect(events).toEqual([]);
});

test("the lag of a group is what it has not committed", async () => {
  const kafka = new FakeCluster([log(batchAt(0, ["a", "b", "c"])), log(batchAt(0, ["d"]))]);
  const lags = groupLags(kafka.cluster, [
    {
      group: "one",
      topic: "t",
      committed: new Map([
        [0, 1],
        [1, 1],
      ]),
    },
    { group: "two", topic: "t", committed: new Map([[0, 0]]) },
    { group: "new", topic: "not known yet", committed: new Map() },
  ]);
  // Of the first group, 2 of 3 in partition 0 and none in 1; of the second, all 3.
  await expect(lags).resolves.toEqual(
    new Map([
      ["one", 2],
      ["two", 3],
      ["new", 0],
    ]),
  );
});
