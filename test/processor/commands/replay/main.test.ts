import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { tables, type ColumnType } from "../../../../domain/tables.ts";
import { recordsOf } from "../../../../lambda/shared/kafka-event.ts";
import { reachAt } from "../../../../lambda/write-lake/partition.ts";
import { lakeTables, type Row } from "../../../../lambda/write-lake/rows.ts";
import { ParquetWriter } from "../../../../local/firehose/parquet.ts";
import { mskEvent } from "../../../lambda/events.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..", "..");
const START = 1_657_533_977_813;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-replay-lake-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

interface LogRecord {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: string | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [string, string | null | { base64: string }])[];
}

/** Two partitions of messages, ticks and one dead letter each. Offsets have gaps, as transaction markers leave them. */
function log(): LogRecord[] {
  return [0, 1].flatMap((partition) =>
    Array.from({ length: 30 }, (_, n): LogRecord => {
      const timestamp = START + n * 500;
      const at = { partition, offset: n * 2 + 5, timestamp };
      if (n % 5 === 4)
        return {
          ...at,
          key: null,
          value: null,
          headers: [
            ["none", null],
            ["type", "tick"],
          ],
        };
      const samples = Array.from({ length: 5 }, (_row, i) => [i + n / 8, partition, 9.81, 0, 0.5, -n]);
      const value =
        n === 7
          ? Buffer.from([0xff, 0x00, 0x80])
          : n === 8
            ? Buffer.alloc(1_000_000, "too large for a row, and for a device ")
            : Buffer.from(JSON.stringify({ seq: n, boot: "b", t: timestamp - 100, hz: 50, samples }));
      return {
        ...at,
        key: `s${partition}${n % 2}`,
        value,
        // The last of a name counts, and null is no content type.
        headers: [
          ["content-type", n % 2 ? "text/plain" : null],
          ["x", { base64: "/w==" }],
          ["7", String(timestamp)],
          ["content-type", n % 2 ? null : "application/json"],
        ],
      };
    }),
  );
}

/** The rows of a record, from the event that brings it to the function. */
function rowsOf({ key, value, headers, ...at }: LogRecord, generation = 1): readonly Row[] {
  const event = mskEvent([{ topic: "imu-data-all", ...at, ...(key && { key }), ...(value && { value }) }]);
  const bytes = (text: LogRecord["headers"][number][1]): number[] | null =>
    text === null ? null : [...(typeof text === "string" ? Buffer.from(text) : Buffer.from(text.base64, "base64"))];
  event.records[`imu-data-all-${at.partition}`]![0]!.headers = headers.map(([name, text]) => ({
    [name]: bytes(text),
  })) as never;
  return lakeTables["imu-data-all"]!.toRows(recordsOf(event)[0]!, reachAt(START, 0), { sensor: generation, market: 1 });
}

async function writeLake(dir: string, records: readonly LogRecord[], name = "", generation = 1): Promise<void> {
  const writer = await ParquetWriter.create();
  const byHour = Map.groupBy(
    records.flatMap((record) => rowsOf(record, generation)),
    ({ dt, hour }) => `dt=${dt}/hour=${hour}`,
  );
  for (const [hour, rows] of byHour) {
    const target = join(dir, "raw", hour);
    mkdirSync(target, { recursive: true });
    // In reverse order, and one half of the rows twice.
    for (const [i, part] of [rows.toReversed(), rows.slice(0, rows.length / 2)].entries())
      await writer.write(
        tables.raw,
        part.map((row) => JSON.stringify(row)),
        join(dir, "scratch"),
        join(target, `${name}${i}.parquet`),
      );
  }
  writer.close();
}

function replay(...args: string[]): Promise<string> {
  return replayGeneration(1, ...args);
}

async function replayGeneration(generation: number, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(ROOT, "processor/commands/replay/main.ts"), ...args, "--flush"],
    { maxBuffer: 1e9, env: { ...process.env, LOG_GENERATION: String(generation) } },
  );
  return stdout;
}

function inputLine({ value, ...record }: LogRecord): object {
  return { ...record, ...(value === null ? { value } : { valueBase64: value.toString("base64") }) };
}

test("a replay of the lake prints the bytes that a replay of the log prints", async () => {
  const records = log();
  await writeLake(folder, records);
  const input = join(folder, "log.ndjson");
  writeFileSync(input, records.map((record) => `${JSON.stringify(inputLine(record))}\n`).join(""));
  const fromLake = await replay("--from-lake", folder);
  expect(fromLake).toBe(await replay("--input", input));
  expect(fromLake.split("\n").filter((line) => line.includes('"dead-letter"'))).toHaveLength(4);
  expect(fromLake).toContain('"id":"imu-data-all/1/5/0"');
}, 120_000);

test("a record of which a part is missing is refused, and the message says which", async () => {
  const dir = join(folder, "incomplete");
  const record = log().find(({ value }) => value !== null && value.length > 500_000)!;
  const hour = join(dir, "raw", "dt=2022-07-11", "hour=10");
  mkdirSync(hour, { recursive: true });
  const writer = await ParquetWriter.create();
  const last = rowsOf(record)
    .slice(1)
    .map((row) => JSON.stringify(row));
  await writer.write(tables.raw, last, join(dir, "scratch"), join(hour, "0.parquet"));
  writer.close();
  await expect(replay("--from-lake", dir)).rejects.toThrow(
    /imu-data-all\/0\/21 comes in 2 parts, of which the lake has 1/,
  );
}, 120_000);

test("files of version 0.1, with keys and headers as text, are read, too", async () => {
  const dir = join(folder, "first-form");
  const hour = join(dir, "raw", "dt=2022-07-11", "hour=10");
  mkdirSync(hour, { recursive: true });
  const types: Record<string, ColumnType> = { key: "string", headers: "map<string,string>", value: "string" };
  const columns = tables.raw.columns.filter(
    ({ name }) => !["part", "parts", "key_text", "headers_text"].includes(name),
  );
  const firstForm = {
    ...tables.raw,
    columns: columns.map((column) => ({ ...column, type: types[column.name] ?? column.type })),
  };
  const value = Buffer.from(`{"seq":1,"t":[${START}],"samples":[[0,0,9.81,0,0,0]]}`);
  const at = { partition: 0, offset: 3, timestamp: START };
  const headers = { "content-type": "application/json" };
  const row = {
    id: "imu-data-all/0/3",
    topic: "imu-data-all",
    ...at,
    key: "s",
    headers,
    value: value.toString("base64"),
  };
  const writer = await ParquetWriter.create();
  await writer.write(firstForm, [JSON.stringify(row)], join(dir, "scratch"), join(hour, "0.parquet"));
  writer.close();
  const later = { partition: 0, offset: 4, timestamp: START + 1, key: "s", value, headers: [] };
  await writeLake(dir, [later], "new");
  const input = join(dir, "log.ndjson");
  writeFileSync(
    input,
    [{ ...at, key: "s", value, headers }, later]
      .map((line) => `${JSON.stringify(inputLine(line as never))}\n`)
      .join(""),
  );
  expect(await replay("--from-lake", dir)).toBe(await replay("--input", input));
}, 120_000);

test("a log that follows a lost one is told from it, though its offsets are the same", async () => {
  const dir = join(folder, "two-logs");
  const message = (sensor: string): LogRecord => {
    const value = Buffer.from(`{"seq":1,"t":[${START}],"samples":[[0,0,9.81,0,0,0]]}`);
    return { partition: 0, offset: 3, timestamp: START, key: sensor, value, headers: [] };
  };
  await writeLake(dir, [message("lost")], "a");
  await writeLake(dir, [message("next")], "b", 2);
  const idsOf = async (generation: number): Promise<string[]> =>
    (await replayGeneration(generation, "--outputs", "windows", "--from-lake", dir))
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { key: string; value: { id: string } })
      .map(({ key, value }) => `${key} ${value.id}`);
  expect(await idsOf(1)).toEqual(["lost imu-data-all/0/3/0"]);
  expect(await idsOf(2)).toEqual(["next imu-data-all~2/0/3/0"]);
}, 120_000);

test("a folder without a lake is refused, and the message says what is missing", async () => {
  await expect(replay("--from-lake", join(folder, "nothing"))).rejects.toThrow(/arguments-invalid: there is no .*raw/);
}, 120_000);

test("exactly one source of records is accepted", async () => {
  await expect(replay("--from-lake", folder, "--input", "x")).rejects.toThrow(
    "exactly one of --input FILE and --from-lake DIR is expected; received both",
  );
  await expect(replay()).rejects.toThrow("exactly one of --input FILE and --from-lake DIR is expected; received none");
}, 120_000);

test("a generation that was restored begins with the state that the one before it ended with", async () => {
  const dir = join(folder, "restored");
  // In the middle of a window, and of a session.
  const split = 5 + 2 * 14;
  const records = log().filter(({ value }) => value === null || value.length < 1_000);
  const isTick = ({ key, offset }: LogRecord): boolean => key === null && offset > split;
  const first = new Set([0, 1].map((partition) => records.find((one) => one.partition === partition && isTick(one))));
  const continues: LogRecord["headers"] = [
    ["type", "tick"],
    ["continues", "imu-data-all"],
  ];
  await writeLake(
    dir,
    records.filter(({ offset }) => offset < split),
    "lost",
  );
  const next = records.filter(({ offset }) => offset >= split);
  await writeLake(
    dir,
    next.map((record) => (first.has(record) ? { ...record, headers: continues } : record)),
    "next",
    2,
  );
  const input = join(dir, "log.ndjson");
  writeFileSync(input, records.map((record) => `${JSON.stringify(inputLine(record))}\n`).join(""));
  // What one log gives behind the split, under the name of the second generation.
  const expected = (await replay("--input", input)).split("\n").flatMap((line) => {
    const offset = /"id":"imu-data-all\/\d\/(\d+)|"source-offset":"(\d+)"/.exec(line);
    const isBehind = offset !== null && Number(offset[1] ?? offset[2]) >= split;
    const renamed = line.replace('"id":"imu-data-all/', '"id":"imu-data-all~2/');
    return isBehind ? [renamed.replace('"source-topic":"imu-data-all"', '"source-topic":"imu-data-all~2"')] : [];
  });
  expect(expected.length).toBeGreaterThan(20);
  // Packed values do not show which record they come from.
  const ofSensors = (lines: readonly string[]): string[] => lines.filter((line) => !line.includes("transformed"));
  expect(ofSensors((await replayGeneration(2, "--from-lake", dir)).trimEnd().split("\n"))).toEqual(ofSensors(expected));
}, 120_000);

test("a replay fails where the first run did, whether its dead letters stand in the dump or in the lake", async () => {
  const dir = join(folder, "failures");
  const records = log().filter(({ partition }) => partition === 0);
  const [failed, other] = records.filter(({ offset }) => offset === 7 || offset === 11) as [LogRecord, LogRecord];
  await writeLake(dir, records);
  // As the processor writes them: the record's own letter, and the one of a sensor whose state was dropped.
  const letter = (offset: number, code: string, source: { key: Buffer; value: Buffer | null }): readonly Row[] => {
    const event = mskEvent([{ topic: "dead-letter", partition: 0, offset, timestamp: START, ...(source as object) }]);
    const names = { "error-code": code, "error-message": `why ${code}`, "source-topic": "imu-data-all" };
    const place = { "source-partition": "0", "source-offset": String(offset), stage: "processor" };
    event.records["dead-letter-0"]![0]!.headers = Object.entries({ ...names, ...place }).map(([name, text]) => ({
      [name]: [...Buffer.from(text)],
    })) as never;
    return lakeTables["dead-letter"]!.toRows(recordsOf(event)[0]!, reachAt(START, 0), { sensor: 1, market: 1 });
  };
  const rows = [
    ...letter(7, "processing-failed", { key: Buffer.from(failed.key!), value: failed.value }),
    ...letter(11, "state-failed", { key: Buffer.from("s00"), value: null }),
  ];
  const hour = join(dir, "dead_letters", "dt=2022-07-11", "hour=10");
  mkdirSync(hour, { recursive: true });
  const writer = await ParquetWriter.create();
  const lines = rows.map((row) => JSON.stringify(row));
  await writer.write(tables.dead_letters, lines, join(dir, "scratch"), join(hour, "0.parquet"));
  writer.close();
  const input = join(dir, "log.ndjson");
  const failures = new Map([
    [failed.offset, [{ key: null, message: "why processing-failed" }]],
    [other.offset, [{ key: "s00", message: "why state-failed" }]],
  ]);
  const line = (record: LogRecord): string =>
    `${JSON.stringify({ ...inputLine(record), failed: failures.get(record.offset) ?? null })}\n`;
  writeFileSync(input, records.map(line).join(""));
  const fromDump = await replay("--input", input);
  expect(fromDump).toContain('"error-code":"processing-failed","error-message":"why processing-failed"');
  expect(await replay("--from-lake", dir)).toBe(fromDump);
}, 120_000);
