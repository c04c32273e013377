import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { tables } from "../../../../domain/tables.ts";
import { lakeTables, type Row } from "../../../../lambda/write-lake/rows.ts";
import { ParquetWriter } from "../../../../local/firehose/parquet.ts";

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
  readonly headers: Record<string, string>;
}

/** Two partitions of messages, ticks and one dead letter each. Offsets have gaps, as transaction markers leave them. */
function log(): LogRecord[] {
  return [0, 1].flatMap((partition) =>
    Array.from({ length: 30 }, (_, n): LogRecord => {
      const timestamp = START + n * 500;
      const at = { partition, offset: n * 2 + 5, timestamp };
      if (n % 5 === 4) return { ...at, key: null, value: null, headers: { type: "tick" } };
      const samples = Array.from({ length: 5 }, (_row, i) => [i + n / 8, partition, 9.81, 0, 0.5, -n]);
      const value =
        n === 7
          ? Buffer.from([0xff, 0x00, 0x80])
          : Buffer.from(JSON.stringify({ seq: n, boot: "b", t: timestamp - 100, hz: 50, samples }));
      return {
        ...at,
        key: `s${partition}${n % 2}`,
        value,
        headers: { "content-type": "application/json", "ingest-ms": String(timestamp) },
      };
    }),
  );
}

async function writeLake(dir: string, records: readonly LogRecord[]): Promise<void> {
  const writer = await ParquetWriter.create();
  const byHour = Map.groupBy(
    records.map((record) => lakeTables["imu-data-all"]!.toRow({ topic: "imu-data-all", ...record }) as Row),
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
        join(target, `${i}.parquet`),
      );
  }
  writer.close();
}

async function replay(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(ROOT, "processor/commands/replay/main.ts"), ...args, "--flush"],
    { maxBuffer: 1e9 },
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
  expect(fromLake.split("\n").filter((line) => line.includes('"dead-letter"'))).toHaveLength(2);
  expect(fromLake).toContain('"id":"imu-data-all/1/5/0"');
}, 120_000);

test("a folder without a lake is refused, and the message says what is missing", async () => {
  await expect(replay("--from-lake", join(folder, "nothing"))).rejects.toThrow(/arguments-invalid: there is no .*raw/);
}, 120_000);

test("exactly one source of records is accepted", async () => {
  await expect(replay("--from-lake", folder, "--input", "x")).rejects.toThrow(
    /exactly one of --input FILE, --from-lake DIR and --from-dead-letter is expected; received --input and --from-lake/,
  );
  await expect(replay("--input", "x", "--code", "invalid-json")).rejects.toThrow(
    "--code belongs to --from-dead-letter",
  );
}, 120_000);
