import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { globSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  DescribeDeliveryStreamCommand,
  FirehoseClient,
  PutRecordBatchCommand,
  PutRecordCommand,
} from "@aws-sdk/client-firehose";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { toJson } from "../../../local/lake/json.ts";
import { openLake } from "../../../local/lake/open.ts";
import { freePort, killPrograms, startProgram } from "../support/program.ts";

let lakeDir: string;
let running: ChildProcess[] = [];

beforeEach(() => {
  lakeDir = mkdtempSync(join(tmpdir(), "millrace-lake-"));
});
afterEach(async () => {
  await killPrograms(running);
  running = [];
  rmSync(lakeDir, { recursive: true, force: true });
});

/** Starts the real program and waits until its log says that it is ready. */
async function start(env: Record<string, string> = {}): Promise<{ child: ChildProcess; client: FirehoseClient }> {
  const port = await freePort();
  const child = await startProgram("local/firehose/main.ts", {
    LAKE_DIR: lakeDir,
    FIREHOSE_PORT: String(port),
    FIREHOSE_BUFFER_MS: "100",
    ...env,
  });
  running.push(child);
  return {
    child,
    client: new FirehoseClient({
      region: "us-east-1",
      endpoint: `http://127.0.0.1:${port}`,
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
      maxAttempts: 1,
    }),
  };
}

async function stop(child: ChildProcess): Promise<void> {
  child.kill("SIGTERM");
  const [code] = (await once(child, "exit")) as [number];
  expect(code).toBe(0);
}

async function select(sql: string): Promise<Record<string, unknown>[]> {
  const lake = await openLake(lakeDir);
  try {
    return (await lake.runAndReadAll(sql))
      .getRowObjects()
      .map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, toJson(value)])));
  } finally {
    lake.closeSync();
  }
}

const bytes = (value: unknown): Uint8Array => Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
const raw = (offset: number, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  id: `imu-data-all/0/${offset}`,
  topic: "imu-data-all",
  partition: 0,
  offset,
  timestamp: 1657533977813,
  key: "s1",
  headers: [],
  value: "e30=",
  dt: "2022-07-11",
  hour: "10",
  ...more,
});

test("rows in the lake have the types and values of their puts", async () => {
  const { child, client } = await start();
  const put = await client.send(
    new PutRecordBatchCommand({
      DeliveryStreamName: "millrace-local-raw",
      Records: [
        {
          Data: bytes(
            raw(9_007_199_254_740_991, {
              headers: [
                { name: "a", value: "MQ==", more: false },
                { name: "a", value: null, more: false },
              ],
              headers_text: { "content-type": "application/json", "ingest-ms": "1" },
            }),
          ),
        },
        { Data: bytes(`${JSON.stringify(raw(2, { key: null, value: null, hour: "11" }))}\n`) },
      ],
    }),
  );
  expect(put.FailedPutCount).toBe(0);
  expect(put.RequestResponses?.map(({ RecordId }) => typeof RecordId)).toEqual(["string", "string"]);
  await client.send(
    new PutRecordCommand({
      DeliveryStreamName: "millrace-local-late",
      Record: {
        Data: bytes(
          '{"id":"a/0/1/0","SENSOR_ID":"s1","seq":4,"operator":"window","window_start":1657533977000.5,' +
            '"window_end":0.1,"t":[5e-324,1.7976931348623157e308],"samples":[[1,-2.25],[]],' +
            '"dt":"2022-07-11","hour":"10","unknown":1}',
        ),
      },
    }),
  );
  await stop(child);

  expect(await select('SELECT "offset", key, headers, headers_text, value, dt, hour FROM raw ORDER BY hour')).toEqual([
    {
      offset: 9_007_199_254_740_991,
      key: "s1",
      headers: [
        { name: "a", value: "MQ==", more: false },
        { name: "a", value: null, more: false },
      ],
      headers_text: { "content-type": "application/json", "ingest-ms": "1" },
      value: "e30=",
      dt: "2022-07-11",
      hour: "10",
    },
    { offset: 2, key: null, headers: [], headers_text: null, value: null, dt: "2022-07-11", hour: "11" },
  ]);
  expect(await select("SELECT sensor_id, seq, boot, window_start, window_end, t, samples FROM late")).toEqual([
    {
      sensor_id: "s1",
      seq: 4,
      boot: null,
      window_start: 1657533977000.5,
      window_end: 0.1,
      t: [5e-324, 1.7976931348623157e308],
      samples: [[1, -2.25], []],
    },
  ]);
  expect(
    await select(
      "SELECT column_name, column_type FROM (DESCRIBE raw) " +
        "WHERE column_name IN ('partition', 'offset', 'headers', 'headers_text', 'dt')",
    ),
  ).toEqual([
    { column_name: "partition", column_type: "INTEGER" },
    { column_name: "offset", column_type: "BIGINT" },
    { column_name: "headers", column_type: 'STRUCT("name" VARCHAR, "value" VARCHAR, more BOOLEAN)[]' },
    { column_name: "headers_text", column_type: "MAP(VARCHAR, VARCHAR)" },
    { column_name: "dt", column_type: "VARCHAR" },
  ]);
  expect(globSync("raw/dt=2022-07-11/hour=1?/*.parquet", { cwd: lakeDir })).toHaveLength(2);
  expect(await select("SELECT count(*)::int AS n FROM sessions_exact")).toEqual([{ n: 0 }]);
});

test("a duplicate row is in the exact view once", async () => {
  const { child, client } = await start();
  for (let i = 0; i < 2; i++)
    await client.send(
      new PutRecordCommand({ DeliveryStreamName: "millrace-local-raw", Record: { Data: bytes(raw(1)) } }),
    );
  await stop(child);
  expect(
    await select("SELECT (SELECT count(*) FROM raw)::int AS rows, (SELECT count(*) FROM raw_exact)::int AS exact"),
  ).toEqual([{ rows: 2, exact: 1 }]);
});

test("rows that do not fit the table go to the error output with their bytes, the others to the lake", async () => {
  const bad = [
    "no json",
    '{"id":1,"dt":"2022-07-11","hour":"10"}',
    JSON.stringify(raw(1, { hour: "24" })),
    JSON.stringify(raw(1, { partition: 2 ** 31 })),
    '{"id":"\\ud800","dt":"2022-07-11","hour":"10"}',
    '{"id":"a","id":"b","dt":"2022-07-11","hour":"10"}',
    `[${JSON.stringify(raw(5))},${JSON.stringify(raw(6))}]`,
  ];
  const { child, client } = await start();
  await client.send(
    new PutRecordBatchCommand({
      DeliveryStreamName: "millrace-local-raw",
      Records: [raw(1), ...bad, raw(2)].map((row) => ({ Data: bytes(row) })),
    }),
  );
  await stop(child);
  const errors = globSync("errors/raw/*/*.ndjson", { cwd: lakeDir })
    .flatMap((file) => readFileSync(join(lakeDir, file), "utf8").trim().split("\n"))
    .map((line) => JSON.parse(line) as { rawData: string; lastErrorCode: string });
  expect(errors.map(({ rawData }) => Buffer.from(rawData, "base64").toString()).sort()).toEqual([...bad].sort());
  expect(
    errors.filter(({ lastErrorCode }) => lastErrorCode === "DynamicPartitioning.MetadataExtractionFailed"),
  ).toHaveLength(1);
  expect(await select('SELECT "offset"::int AS n FROM raw ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }]);
});

// https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-multirecord-deaggergation.html
test("a record is cut into its rows, each in its own partition, and a row that does not fit goes alone", async () => {
  const { child, client } = await start();
  const row = (offset: number, more = {}): string => JSON.stringify(raw(offset, more));
  await client.send(
    new PutRecordBatchCommand({
      DeliveryStreamName: "millrace-local-raw",
      Records: [
        `${row(1)}\n${row(2, { hour: "11" })}\n${row(3, { partition: "x" })}\n${row(4)}\n`,
        `${row(5)}${row(6, { value: 'a}{\\"}{' })}${row(7)}`,
        // It takes 500 rows of a record, and leaves one with more as it is.
        Array.from({ length: 500 }, (_, i) => row(1_000 + i)).join("\n"),
        Array.from({ length: 501 }, (_, i) => row(2_000 + i)).join("\n"),
      ].map((text) => ({ Data: bytes(text) })),
    }),
  );
  await stop(child);
  expect(
    await select('SELECT hour, list("offset"::int ORDER BY "offset") AS n FROM raw WHERE "offset" < 1000 GROUP BY ALL'),
  ).toEqual(
    expect.arrayContaining([
      { hour: "10", n: [1, 4, 5, 6, 7] },
      { hour: "11", n: [2] },
    ]),
  );
  expect(await select('SELECT value FROM raw WHERE "offset" = 6')).toEqual([{ value: 'a}{\\"}{' }]);
  expect(await select('SELECT count(*)::int AS n, max("offset")::int AS last FROM raw WHERE "offset" >= 1000')).toEqual(
    [{ n: 500, last: 1_499 }],
  );
  const refused = globSync("errors/raw/*/*.ndjson", { cwd: lakeDir })
    .flatMap((file) => readFileSync(join(lakeDir, file), "utf8").trim().split("\n"))
    .map((line) => Buffer.from((JSON.parse(line) as { rawData: string }).rawData, "base64").toString());
  expect(refused.map((text) => text.split("\n").length).sort((a, b) => a - b)).toEqual([1, 501]);
  expect(refused).toContain(row(3, { partition: "x" }));
});

test("the limits of a call and their errors are those of the service", async () => {
  const { client } = await start();
  // SDK errors reference sockets. A failed comparison of whole errors would print them.
  const put = (name: string, data: Uint8Array[]): Promise<unknown> =>
    client.send(new PutRecordBatchCommand({ DeliveryStreamName: name, Records: data.map((Data) => ({ Data })) })).then(
      ({ FailedPutCount }) => FailedPutCount,
      (error: Error) => error.name,
    );
  const row = bytes(raw(1));
  expect(await put("millrace-local-raw", Array<Uint8Array>(501).fill(row))).toBe("ValidationException");
  expect(await put("millrace-local-raw", [])).toBe("ValidationException");
  expect(await put("millrace-local-raw", [Buffer.alloc(1_024_001)])).toBe("ValidationException");
  expect(await put("millrace-local-raw", Array<Uint8Array>(5).fill(Buffer.alloc(900_000)))).toBe(
    "InvalidArgumentException",
  );
  expect(await put("millrace-local-none", [row])).toBe("ResourceNotFoundException");
  expect(await put("millrace-local-raw", Array<Uint8Array>(500).fill(row))).toBe(0);
  expect(await put("millrace-local-raw", Array<Uint8Array>(4).fill(Buffer.alloc(1_024_000, " ")))).toBe(0);
  await expect(
    client.send(new DescribeDeliveryStreamCommand({ DeliveryStreamName: "millrace-local-raw" })),
  ).resolves.toMatchObject({ DeliveryStreamDescription: { DeliveryStreamStatus: "ACTIVE" } });
});

test("with faults, the lake has exactly the records that were reported as accepted", async () => {
  const { child, client } = await start({ FIREHOSE_FAULT_RATE: "0.5" });
  const put = await client.send(
    new PutRecordBatchCommand({
      DeliveryStreamName: "millrace-local-raw",
      Records: Array.from({ length: 200 }, (_, i) => ({ Data: bytes(raw(i)) })),
    }),
  );
  await stop(child);
  const failed = put.RequestResponses?.filter(({ ErrorCode }) => ErrorCode === "ServiceUnavailableException");
  expect(put.FailedPutCount).toBe(failed?.length);
  expect(put.FailedPutCount).toBeGreaterThan(0);
  const taken = put.RequestResponses?.flatMap(({ RecordId }, i) => (RecordId ? [i] : []));
  expect((await select('SELECT "offset"::int AS n FROM raw ORDER BY n')).map(({ n }) => n)).toEqual(taken);
});

test("a lake that takes nothing is counted and refuses records, until it takes them again", async () => {
  const healthPort = await freePort();
  const { child, client } = await start({ HEALTH_PORT: String(healthPort) });
  const put = new PutRecordCommand({ DeliveryStreamName: "millrace-local-raw", Record: { Data: bytes(raw(1)) } });
  const get = async (path: string): Promise<Record<string, unknown>> => {
    const response = await fetch(`http://127.0.0.1:${healthPort}/${path}`, { headers: { accept: "application/json" } });
    return (await response.json()) as Record<string, unknown>;
  };
  renameSync(lakeDir, `${lakeDir}.away`);
  writeFileSync(lakeDir, "");
  await expect(client.send(put)).rejects.toThrow("The service is unavailable");
  expect(await get("metrics")).toMatchObject({ "firehose.failed-deliveries": 1 });
  expect(await get("health")).toMatchObject({ status: "degraded" });
  rmSync(lakeDir);
  renameSync(`${lakeDir}.away`, lakeDir);
  await client.send(put);
  expect(await get("health")).toMatchObject({ status: "ok" });
  await stop(child);
  expect(await select("SELECT count(*)::INT AS n FROM raw")).toEqual([{ n: 1 }]);
});

test("acknowledged records survive kill -9 at any moment, and are in the lake once", async () => {
  const acknowledged: number[] = [];
  let next = 0;
  for (let round = 0; round < 4; round++) {
    // The program writes Parquet all the time, so that the kill interrupts appends, conversions and renames.
    const { child, client } = await start({ FIREHOSE_BUFFER_MS: "10", FIREHOSE_BUFFER_BYTES: "1024" });
    const target = acknowledged.length + 120 + 37 * round;
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        for (;;) {
          const offsets = Array.from({ length: 5 }, () => next++);
          try {
            await client.send(
              new PutRecordBatchCommand({
                DeliveryStreamName: "millrace-local-raw",
                // The last three are rows of one record.
                Records: [offsets.slice(0, 1), offsets.slice(1, 2), offsets.slice(2)].map((ofRecord) => ({
                  Data: bytes(
                    ofRecord
                      .map((offset) => `${JSON.stringify(raw(offset, { hour: offset % 2 ? "10" : "11" }))}\n`)
                      .join(""),
                  ),
                })),
              }),
            );
          } catch {
            return;
          }
          acknowledged.push(...offsets);
          if (acknowledged.length >= target) child.kill("SIGKILL");
        }
      }),
    );
    if (child.signalCode === null) await once(child, "exit");
  }
  const { child } = await start();
  await stop(child);
  const rows = (await select('SELECT "offset"::int AS n FROM raw')).map(({ n }) => n as number);
  expect(new Set(rows).size).toBe(rows.length);
  expect(acknowledged.filter((offset) => !rows.includes(offset))).toEqual([]);
}, 60_000);
