import { expect, test } from "@jest/globals";
import { WatchedPartitions, type FollowedPartition, type WatchedKeys } from "../../adapters/watched-partitions.ts";
import { MillraceError } from "../../domain/errors.ts";

const samples = { topic: "samples", ofMarket: false, always: false };
const sessions = { topic: "sessions", ofMarket: false, always: true };
const trades = { topic: "trades", ofMarket: true, always: false };
const counts: Readonly<Record<string, number>> = { samples: 2, sessions: 2, trades: 4 };
const countOf = (topic: string): number => counts[topic]!;
// By Kafka's own test, murmur2 of "abc" is 479470107 (odd), and that of "foobar" is -790332482, which Kafka makes
// positive by its lower 31 bits: 1357151166 (even).
const [odd, even] = ["abc", "foobar"];

const keys = (sensors: readonly string[], symbols: readonly string[] = []): WatchedKeys => ({
  sensors: new Set(sensors),
  ofOthers: null,
  symbols: new Set(symbols),
});
const names = (partitions: readonly FollowedPartition[]): string[] =>
  partitions.map(({ topic, partition }) => `${topic}/${partition}`);
/** As `TopicTail` does with the partitions that have no offset yet. */
function locate(partitions: readonly FollowedPartition[], offset = 100): void {
  for (const one of partitions) Object.assign(one, { offset, takenOver: false });
}
const answer = (nextOffset: number, highWatermark = nextOffset, problem: MillraceError | null = null) => ({
  partition: 0,
  records: [],
  nextOffset,
  highWatermark,
  problem,
});

test("only partitions of keys that somebody watches are fetched; those of sessions always, slowly", () => {
  const partitions = new WatchedPartitions([samples, sessions, trades]);
  partitions.assign([0, 1, 2, 3], countOf);
  locate(partitions.watch(keys([]), countOf));
  expect(names(partitions.due(0))).toEqual(["sessions/0", "sessions/1"]);
  const due = WatchedPartitions.nextDue(1_200);
  expect(due).toBe(2_000);
  for (const one of partitions.all) one.dueAtMs = due;
  expect(partitions.due(1_999)).toEqual([]);
  locate(partitions.watch(keys([odd!]), countOf));
  expect(names(partitions.due(1_999))).toEqual(["samples/1", "sessions/1"]);
  expect(names(partitions.due(2_000))).toEqual(["samples/1", "sessions/0", "sessions/1"]);
  // A symbol may have the name of a sensor.
  locate(partitions.watch(keys([even!], [odd!]), countOf));
  expect(names(partitions.due(1_999))).toEqual(["samples/0", "sessions/0", `trades/${479_470_107 % 4}`]);
});

test("a partition that is watched again begins anew at its end", () => {
  const partitions = new WatchedPartitions([samples]);
  partitions.assign([0, 1], countOf);
  const [one] = partitions.watch(keys([odd!]), countOf);
  locate([one!]);
  partitions.took(one!, answer(105, 108));
  expect(partitions.watch(keys([odd!, "more"]), countOf).includes(one!)).toBe(false);
  expect([one!.offset, partitions.lag]).toEqual([105, 3]);
  expect(partitions.watch(keys([]), countOf)).toEqual([]);
  expect([one!.offset, partitions.lag]).toEqual([null, 0]);
  expect(partitions.watch(keys([odd!]), countOf)).toEqual([one]);
});

test("what another process has read until now is taken over only where it is watched", () => {
  const partitions = new WatchedPartitions([samples]);
  partitions.assign([0, 1], countOf);
  const wanted = partitions.watch(keys([odd!]), countOf);
  expect(wanted.map(({ partition, takenOver }) => [partition, takenOver])).toEqual([[1, true]]);
  locate(wanted);
  // Watched later: nobody has read it for somebody before.
  expect(partitions.watch(keys([odd!, even!]), countOf).map(({ takenOver }) => takenOver)).toEqual([false]);
});

test("a new assignment keeps the places of partitions that stay, and forgets the others", () => {
  const partitions = new WatchedPartitions([samples]);
  partitions.assign([0, 1], countOf);
  locate(partitions.watch(keys([odd!, even!]), countOf));
  const [zero, one] = partitions.all;
  partitions.assign([1], countOf);
  expect([partitions.has(zero!), partitions.has(one!)]).toEqual([false, true]);
  expect(one!.offset).toBe(100);
  partitions.assign([0, 1], countOf);
  expect(names(partitions.watch(keys([odd!, even!]), countOf))).toEqual(["samples/0"]);
  expect(partitions.all[0]!.takenOver).toBe(true);
});

test("a partition with a batch that can't be decoded stands, and the others continue", () => {
  const partitions = new WatchedPartitions([samples]);
  partitions.assign([0, 1], countOf);
  locate(partitions.watch(keys([odd!, even!]), countOf));
  partitions.took(partitions.all[1]!, answer(104, 110, new MillraceError("input-undecodable", "it can't be decoded")));
  expect([...partitions.stopped]).toEqual([["samples/1", "it can't be decoded"]]);
  expect(names(partitions.due(0))).toEqual(["samples/0"]);
  partitions.watch(keys([]), countOf);
  expect(names(partitions.watch(keys([odd!, even!]), countOf))).toEqual(["samples/0"]);
  expect(partitions.stopped.size).toBe(1);
});
