import { expect, test } from "@jest/globals";
import { LogRecord } from "../../adapters/record-batches.ts";
import { MillraceError } from "../../domain/errors.ts";
import { resumePositionOf, type Resume } from "../../domain/resume.ts";
import {
  newestOf,
  readBack,
  readOn,
  replayedOf,
  replayLimits,
  type ReadBack,
  type Replayed,
  type ReplayLog,
} from "../../live/replay.ts";
import { windowed } from "../lambda/records.ts";

const PARTITION = 3;
const idOf = (offset: number): string => `imu-data-all/${PARTITION}/${offset}/0`;
const encoder = new TextEncoder();

/** A record of a window that begins at its id's number, in seconds. */
function record(offset: number, number: number, sensorId: string, padding = 0): LogRecord {
  const value = { ...windowed(sensorId, number * 1_000), id: idOf(number), padding: "x".repeat(padding) };
  const key = Buffer.from(encoder.encode(sensorId));
  const memory = Buffer.concat([key, Buffer.from(encoder.encode(JSON.stringify(value))), Buffer.alloc(1)]);
  const headersAt = memory.length - 1;
  return new LogRecord(PARTITION, offset, 0, memory, 0, key.length, key.length, headersAt, headersAt, headersAt);
}

/** A log from an offset on; a fetch gives at most ten records. What is not in it is a transaction's marker. */
function logOf(records: readonly LogRecord[], earliest = 0, undecodable = -1): ReplayLog & { fetches: number } {
  const latest = (records.at(-1)?.offset ?? earliest - 1) + 1;
  const log = {
    fetches: 0,
    bounds: () => Promise.resolve({ earliest, latest }),
    fetch(_topic: string, _partition: number, offset: number) {
      log.fetches++;
      if (offset === undecodable) return Promise.reject(new MillraceError("input-undecodable", "it is broken"));
      const found = records.filter((one) => one.offset >= offset && one.offset < offset + 10);
      return Promise.resolve({ records: found, nextOffset: offset + 10 });
    },
  };
  return log;
}

const resume = (after: number, sensorId = "s1"): Resume => ({
  requestId: "r",
  sensorId,
  partition: PARTITION,
  after: { window: idOf(after) },
});
const ids = ({ messages }: Replayed): string[] =>
  messages.map(({ text }) => (JSON.parse(text) as { data: { id: string } }).data.id);
const position = (number: number) => resumePositionOf(idOf(number))!;
const replayed = (read: ReadBack, asked: Resume, room: number, newest = newestOf(read)): Replayed =>
  replayedOf(read, asked, room, newest);
const ROOM = 10 * 1_024 * 1_024;

test("what is behind the id comes, each once, although a transaction was aborted and repeated", async () => {
  // 1 2 3 | 4 5 aborted, marker | 4 5 6, marker
  const numbers = [1, 2, 3, 4, 5, null, 4, 5, 6, null];
  const log = logOf(numbers.flatMap((number, offset) => (number === null ? [] : [record(offset, number, "s1")])));
  const read = await readBack(log, "window", PARTITION, position(1));
  for (const [after, expected] of [
    [0, [1, 2, 3, 4, 5, 6]],
    [3, [4, 5, 6]],
    [4, [5, 6]],
    [5, [6]],
    [6, []],
  ] as const) {
    const result = replayed(read, resume(after), ROOM);
    expect([after, ids(result)]).toEqual([after, expected.map(idOf)]);
    expect(result.gap).toBeNull();
    expect(result.through).toEqual(position(6));
  }
});

test("no more of the log is read than what somebody waits for", async () => {
  const log = logOf(Array.from({ length: 5_000 }, (_, i) => record(i, i, i % 2 === 0 ? "s1" : "s2")));
  const read = await readBack(log, "window", PARTITION, position(4_990));
  expect(log.fetches).toBe(replayLimits.firstStep / 10);
  expect(ids(replayed(read, resume(4_990), ROOM))).toEqual([4_992, 4_994, 4_996, 4_998].map(idOf));
  expect(ids(replayed(read, resume(4_990, "*"), ROOM))).toHaveLength(9);
});

test("what was appended meanwhile is read, too", async () => {
  const records = Array.from({ length: 25 }, (_, i) => record(i, i, "s1"));
  const read = await readBack(logOf(records.slice(0, 20)), "window", PARTITION, position(17));
  expect(read.end).toBe(20);
  const on = await readOn(logOf(records), read);
  expect(on.end).toBeGreaterThanOrEqual(25);
  expect(ids(replayed(on, resume(17), ROOM))).toEqual([18, 19, 20, 21, 22, 23, 24].map(idOf));
});

test("a partition is read back no further than the limits: the newest come, and the gap says up to where", async () => {
  const large = Math.ceil(replayLimits.bytes / 900);
  const log = logOf(Array.from({ length: 1_000 }, (_, i) => record(i, i, "s1", large)));
  const read = await readBack(log, "window", PARTITION, position(2));
  expect(read.cut).toBe("too-many");
  const result = replayed(read, resume(2), 2 * ROOM);
  const first = Number(ids(result)[0]!.split("/")[2]);
  expect(first).toBeGreaterThan(100);
  expect(ids(result).at(-1)).toBe(idOf(999));
  expect(result.gap).toMatchObject({
    reason: "too-many",
    after: idOf(2),
    before: idOf(first),
    from: null,
    to: first * 1_000,
    path: `/sensors/s1/windows?to=${first * 1_000}`,
  });
  // Who has more by then misses nothing.
  expect(replayed(read, resume(first), ROOM).gap).toBeNull();
  const many = logOf([record(replayLimits.offsets * 2, 9, "s1")]);
  expect((await readBack(many, "window", PARTITION, position(2))).cut).toBe("too-many");
});

test("of more than there is room for the newest are sent, and the gap has the times of the others", async () => {
  const log = logOf(Array.from({ length: 30 }, (_, i) => record(i, i, "s1")));
  const read = await readBack(log, "window", PARTITION, position(9));
  const { bytes } = replayed(read, resume(28), ROOM).messages[0]!;
  const result = replayed(read, resume(9), 5.5 * bytes);
  expect(ids(result)).toEqual([25, 26, 27, 28, 29].map(idOf));
  expect(result.gap).toEqual({
    type: "window",
    reason: "too-many",
    after: idOf(9),
    before: idOf(25),
    from: 10_000,
    to: 25_000,
    path: "/sensors/s1/windows?from=10000&to=25000",
    table: "aggregated",
  });
  expect(replayed(read, resume(9), -1)).toMatchObject({
    messages: [],
    gap: { before: null, from: 10_000, to: 30_000 },
  });
});

test.each([
  ["expired", logOf([record(50, 50, "s1")], 40), 7, [50]],
  ["expired", logOf([], 40), 7, []],
  ["unknown", logOf([record(0, 50, "s1")]), 51, []],
  ["unknown", logOf([]), 7, []],
  ["unreadable", logOf([record(400, 50, "s1"), record(450, 60, "s1")], 300, 390), 55, []],
  [null, logOf([record(0, 50, "s1")]), 7, [50]],
  [null, logOf([record(0, 50, "s2")]), 7, []],
] as const)("the gap is %s", async (reason, log, after, expected) => {
  const read = await readBack(log, "window", PARTITION, position(after));
  const result = replayed(read, resume(after), ROOM);
  expect(result.gap?.reason ?? null).toBe(reason);
  expect(ids(result)).toEqual(expected.map(idOf));
});

test("an id of another type is known, although this topic has nothing that new", async () => {
  const read = await readBack(logOf([record(0, 50, "s1")]), "window", PARTITION, position(70));
  expect(replayed(read, resume(70), ROOM, position(80))).toEqual({ messages: [], through: position(50), gap: null });
  expect(replayed(read, resume(90), ROOM, position(80)).gap).toMatchObject({ reason: "unknown" });
  const empty = await readBack(logOf([]), "window", PARTITION, position(70));
  expect(replayed(empty, resume(70), ROOM, position(80))).toEqual({ messages: [], through: null, gap: null });
});
