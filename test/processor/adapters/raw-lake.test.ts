import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { tables } from "../../../domain/tables.ts";
import { recordsOf } from "../../../lambda/shared/kafka-event.ts";
import { reachAt } from "../../../lambda/write-lake/partition.ts";
import { lakeTables } from "../../../lambda/write-lake/rows.ts";
import { ParquetWriter } from "../../../local/firehose/parquet.ts";
import { rawLakeRecords } from "../../../processor/adapters/raw-lake.ts";
import { mskEvent, type RecordSpec } from "../../lambda/events.ts";

const START = Date.UTC(2026, 0, 13, 14, 30);

test("the log of trades is read from its own table, byte for byte, of one generation", async () => {
  const dir = mkdtempSync(join(tmpdir(), "millrace-market-lake-"));
  const specs: RecordSpec[] = [
    { topic: "market-trades", partition: 1, offset: 0, timestamp: START, key: "AAPL", value: '{"trade_id": "T-1"}' },
    { topic: "market-trades", partition: 1, offset: 1, timestamp: START + 1, headers: { type: "tick" } },
    {
      topic: "market-trades",
      partition: 1,
      offset: 2,
      timestamp: START + 2,
      headers: { type: "reference", "reference-version": "v1", part: "0", parts: "1", reference: '{"version":"v1"}' },
    },
    { topic: "market-trades", partition: 0, offset: 7, timestamp: START, key: "MSFT", value: "{}" },
  ];
  const rowsOf = (market: number): string[] =>
    specs
      .flatMap((spec) =>
        lakeTables["market-trades"]!.toRows(recordsOf(mskEvent([spec]))[0]!, reachAt(START, 0), { sensor: 1, market }),
      )
      .map((row) => JSON.stringify(row));
  const writer = await ParquetWriter.create();
  const hour = join(dir, "market_raw", "dt=2026-01-13", "hour=14");
  mkdirSync(hour, { recursive: true });
  await writer.write(tables.market_raw, rowsOf(1), join(dir, "scratch"), join(hour, "lost.parquet"));
  await writer.write(tables.market_raw, rowsOf(2).slice(0, 3), join(dir, "scratch"), join(hour, "new.parquet"));
  writer.close();
  const read = async (log: string): Promise<unknown[]> => {
    const records: unknown[] = [];
    for await (const { key, value, ...record } of rawLakeRecords(dir, "market-trades", log, () => undefined))
      records.push({ ...record, key: key?.toString() ?? null, value: value?.toString() ?? null });
    return records;
  };
  const expected = specs
    .map(({ partition, offset, timestamp, key = null, value = null, headers = {} }) => ({
      partition,
      offset,
      timestamp,
      key,
      value,
      headers,
    }))
    .toSorted((a, b) => a.partition! - b.partition!);
  expect(await read("market-trades")).toEqual(expected);
  expect(await read("market-trades~2")).toEqual(expected.slice(1));
  await expect(rawLakeRecords(dir, "imu-data-all", "imu-data-all", () => undefined).next()).rejects.toThrow(
    "there is no",
  );
  rmSync(dir, { recursive: true });
});
