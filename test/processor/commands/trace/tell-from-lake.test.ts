import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { tables } from "../../../../domain/tables.ts";
import { recordsOf } from "../../../../lambda/shared/kafka-event.ts";
import { reachAt } from "../../../../lambda/write-lake/partition.ts";
import { lakeTables } from "../../../../lambda/write-lake/rows.ts";
import { ParquetWriter } from "../../../../local/firehose/parquet.ts";
import type { Story } from "../../../../processor/commands/trace/tell.ts";
import { mskEvent, type RecordSpec } from "../../../lambda/events.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..", "..");
/** A whole second. */
const START = 1_657_533_978_000;
const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";

/** A message of four readings, 250 ms apart. */
function message(seq: number, start: number, acceleration = 9.8): Pick<RecordSpec, "key" | "value" | "headers"> {
  const t = [0, 250, 500, 750].map((later) => start + later);
  return {
    key: "s1",
    value: { seq, boot: "b1", t, samples: t.map(() => [0, 0, acceleration, 0, 0, 0]) },
    headers: {
      "content-type": "application/json",
      "ingest-ms": String(start + 900),
      ...(seq === 1 ? { traceparent: `00-${TRACE_ID}-00f067aa0ba902b7-01` } : {}),
    },
  };
}

/** Offset n was appended at START + n seconds + 950 ms. */
const log: RecordSpec[] = [
  message(0, START),
  message(1, START + 1_000),
  message(2, START + 2_000),
  message(1, START + 1_000), // delivered twice
  message(3, START + 3_000, 999), // no acceleration of this earth
  message(4, START - 600_000), // ten minutes: later than the lateness allows
  message(6, START + 4_000), // 5 never arrives
].map((one, offset) => ({ ...one, topic: "imu-data-all", offset, timestamp: START + offset * 1_000 + 950 }));

/** What the bridge wrote itself, because Kafka could not take it. */
const ofBridge: RecordSpec = {
  ...message(7, START + 5_000),
  topic: "dead-letter",
  offset: 1_000,
  timestamp: START + 6_000,
  headers: { "error-code": "refused-by-kafka", "error-message": "too large", stage: "bridge", "letter-id": "mqtt/1" },
};

let dir: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "millrace-lake-story-"));
  const input = join(dir, "log.ndjson");
  const lines = log.map(({ key, value, timestamp, headers }) => JSON.stringify({ key, timestamp, value, headers }));
  writeFileSync(input, lines.join("\n"));
  // The outputs are the processor's own.
  const { stdout } = run("replay", "--input", input);
  const outputs = stdout
    .trimEnd()
    .split("\n")
    .map((line, offset) => ({ ...(JSON.parse(line) as RecordSpec), offset, timestamp: START + 9_000 }))
    .filter(({ topic }) => topic in lakeTables);
  const rows = recordsOf(mskEvent([...log, ...outputs, ofBridge])).flatMap((record) => {
    const { table, toRows } = lakeTables[record.topic]!;
    return toRows(record, reachAt(START, 0), { sensor: 1, market: 1 }).map((row) => ({ table, row }));
  });
  const writer = await ParquetWriter.create();
  for (const [place, some] of Map.groupBy(rows, ({ table, row }) =>
    join(dir, "lake", table, `dt=${row.dt}`, `hour=${row.hour}`),
  )) {
    mkdirSync(place, { recursive: true });
    const twice = [...some, ...some].map(({ row }) => JSON.stringify(row)); // Firehose delivers at least once
    await writer.write(tables[some[0]!.table], twice, join(dir, "scratch"), join(place, "0.parquet"));
  }
  writer.close();
}, 60_000);
afterAll(() => rmSync(dir, { recursive: true }));

function run(command: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const main = join(ROOT, "processor/commands", command, "main.ts");
  return spawnSync(process.execPath, ["--disable-warning=ExperimentalWarning", main, ...args], {
    encoding: "utf8",
    // No Kafka: the lake is enough.
    env: { PATH: process.env["PATH"], KAFKA_BROKERS: "127.0.0.1:9" },
  });
}

function trace(...args: string[]): Story {
  const { stdout, stderr } = run("trace", ...args, "--from-lake", join(dir, "lake"), "--json");
  expect(stderr).toBe("");
  return JSON.parse(stdout) as Story;
}

const holding = ({ arrivals }: Story, i = 0): unknown[] =>
  arrivals[i]!.outputs.filter(({ role }) => role === "holds").map(({ place, id, at }) => [place, id, at]);

test("an accepted message: when it was appended, and the outputs that hold its readings, with ids and times", () => {
  const story = trace("--sensor", "s1", "--seq", "0");
  expect(story.arrivals).toHaveLength(1);
  expect(story.arrivals[0]).toMatchObject({
    verdict: "accepted",
    place: "imu-data-all/0/0",
    appendedAt: START + 950,
    ingestMs: START + 900,
    letters: [],
    subject: { readings: 4, times: { first: START, last: START + 750 } },
  });
  // Its step starts the session. Its window fires when the watermark reaches the window's end: at seq 1.
  expect(holding(story)).toEqual([
    ["lake/sessions", "imu-data-all/0/0/0", START + 950],
    ["lake/aggregated", "imu-data-all/0/1/0", START + 1_950],
  ]);
  expect(story.notes[0]).toContain("has nothing of sensor-data-transformed;");
});

test("a message that came twice, found by its trace id, by its place and by an output's id", () => {
  const byNumber = trace("--sensor", "s1", "--seq", "1", "--boot", "b1");
  expect(byNumber.arrivals.map(({ verdict, place }) => [verdict, place])).toEqual([
    ["accepted", "imu-data-all/0/1"],
    ["duplicate", "imu-data-all/0/3"],
  ]);
  expect(byNumber.arrivals[1]!.why).toBe("the message had arrived before, as imu-data-all/0/1");
  for (const name of [TRACE_ID, "imu-data-all/0/1", "imu-data-all/0/1/0"])
    expect(trace(name).arrivals).toEqual(byNumber.arrivals);
  // The session began with the first message.
  expect(trace(`s1@${START}`).arrivals).toEqual(trace("--sensor", "s1", "--seq", "0").arrivals);
});

test("a dead letter, by the message and by the letter's place", () => {
  const story = trace("--sensor", "s1", "--seq", "3");
  expect(story.arrivals).toMatchObject([{ verdict: "dead-lettered", place: "imu-data-all/0/4", outputs: [] }]);
  expect(story.arrivals[0]!.why).toContain("out-of-range: sample 0, az is 999");
  expect(trace(story.arrivals[0]!.letters[0]!.place).arrivals).toEqual(story.arrivals);
});

test("a late message: for which windows it came too late", () => {
  const story = trace("--sensor", "s1", "--seq", "4");
  expect(story.arrivals).toMatchObject([{ verdict: "late", place: "imu-data-all/0/5" }]);
  expect(story.arrivals[0]!.why).toContain(`late for window [${new Date(START - 600_000).toISOString()}`);
});

test("a message that never arrived, and one that the bridge dead-lettered", () => {
  const story = trace("--sensor", "s1", "--seq", "5");
  expect(story).toMatchObject({ arrivals: [], letters: [] });
  expect(story.neighbours.map(({ seq, place }) => [seq, place])).toEqual([
    [4, "imu-data-all/0/5"],
    [6, "imu-data-all/0/6"],
  ]);
  expect(trace("--sensor", "s1", "--seq", "7").letters).toMatchObject([{ code: "refused-by-kafka", id: "mqtt/1" }]);
});

test("the story has the form of one from the log", () => {
  const { stdout } = run("trace", "imu-data-all/0/0", "--from-lake", join(dir, "lake"));
  expect(stdout).toMatch(/^sensor s1, seq 0, boot b1: accepted\n/);
  expect(stdout).toContain(`${new Date(START + 950).toISOString()}  appended    imu-data-all/0/0, `);
  expect(stdout).toContain("(id imu-data-all/0/1/0, lake/aggregated)");
});

test("--from and --to restrict what is looked at", () => {
  const to = String(START + 1_500);
  expect(trace("--sensor", "s1", "--seq", "0", "--to", to).arrivals).toHaveLength(1);
  expect(trace("--sensor", "s1", "--seq", "2", "--to", to).arrivals).toEqual([]);
});

test.each([
  [["imu-data-all/0/99"], "imu-data-all/0/99 is not in the lake"],
  [["sensor-data-aggregated/0/1"], "sensor-data-aggregated is no input: the lake has outputs by their ids"],
  [["dead-letter/0/1000"], "dead-letter/0/1000 was written by the bridge"],
  [["f".repeat(32)], "has the trace id ffff"],
])("%j is refused, and the message says why", (args, problem) => {
  const { status, stderr } = run("trace", ...args, "--from-lake", join(dir, "lake"));
  expect([status, stderr]).toEqual([1, expect.stringContaining(problem)]);
});

test("a folder that is no lake is refused, and the message says what to do on AWS", () => {
  const { status, stderr } = run("trace", "imu-data-all/0/1", "--from-lake", join(dir, "nothing"));
  expect([status, stderr]).toEqual([1, expect.stringContaining("the named query story-of-a-record")]);
});
