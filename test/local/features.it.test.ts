import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AthenaClient,
  GetQueryExecutionCommand,
  GetQueryResultsCommand,
  StartQueryExecutionCommand,
} from "@aws-sdk/client-athena";
import { DescribeFeatureGroupCommand, SageMakerClient } from "@aws-sdk/client-sagemaker";
import {
  BatchGetRecordCommand,
  DeleteRecordCommand,
  GetRecordCommand,
  PutRecordCommand,
  SageMakerFeatureStoreRuntimeClient,
  type FeatureValue,
} from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { freePort, killPrograms, startProgram } from "./support/program.ts";

const FeatureGroupName = "millrace-local-sensor-windows-v2";
let dataDir: string;
let port: number;
let child: ChildProcess;
let client: SageMakerFeatureStoreRuntimeClient;

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "millrace-features-"));
  port = await freePort();
  await start();
});
afterEach(async () => {
  await killPrograms([child]);
  rmSync(dataDir, { recursive: true, force: true });
});

async function start(): Promise<void> {
  child = await startProgram("local/features/main.ts", { FEATURES_DIR: dataDir, FEATURES_PORT: String(port) });
  client = new SageMakerFeatureStoreRuntimeClient(clientOptions());
}

function clientOptions() {
  return {
    region: "us-east-1",
    endpoint: `http://127.0.0.1:${port}`,
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
    maxAttempts: 1,
  };
}

const record = (sensor: string, time: string, more: Record<string, string> = {}): FeatureValue[] =>
  Object.entries({ sensor_id: sensor, event_time: time, ...more }).map(([FeatureName, ValueAsString]) => ({
    FeatureName,
    ValueAsString,
  }));
const put = (values: FeatureValue[], more: Record<string, unknown> = {}): Promise<string> =>
  outcome(client.send(new PutRecordCommand({ FeatureGroupName, Record: values, ...more })));
async function get(sensor: string, FeatureNames?: string[]): Promise<Record<string, string> | undefined> {
  const { Record } = await client.send(
    new GetRecordCommand({ FeatureGroupName, RecordIdentifierValueAsString: sensor, FeatureNames }),
  );
  return (
    Record && Object.fromEntries(Record.map(({ FeatureName, ValueAsString }) => [FeatureName, ValueAsString as string]))
  );
}
/** SDK errors reference sockets. A failed comparison of whole errors would print them. */
const outcome = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "ok",
    (error: Error & { $metadata?: { httpStatusCode?: number } }) => `${error.name} ${error.$metadata?.httpStatusCode}`,
  );

test("the record with the latest event time wins as a whole, in any order of arrival", async () => {
  expect(await get("s1")).toBeUndefined();
  await put(record("s1", "1783764001.000", { count: "1", revision: "0" }));
  expect(await put(record("s1", "1783764000.999", { count: "2" }))).toBe("ok");
  expect(await put(record("s1", "1783764001.000", { count: "3" }))).toBe("ok");
  expect(await get("s1")).toEqual({
    sensor_id: "s1",
    event_time: "1783764001.000",
    count: "1",
    revision: "0",
  });
  await put(record("s1", "1783764001.000001", { count: "4" }));
  expect(await get("s1")).toEqual({ sensor_id: "s1", event_time: "1783764001.000001", count: "4" });
  expect(await get("s1", ["count"])).toEqual({ count: "4" });
});

test("records survive kill -9", async () => {
  for (let i = 0; i < 50; i++) await put(record(`s${i}`, "1783764000", { count: String(i) }));
  child.kill("SIGKILL");
  await once(child, "exit");
  await start();
  for (let i = 0; i < 50; i++) expect((await get(`s${i}`))?.["count"]).toBe(String(i));
});

test("a soft deletion keeps older records away, a hard deletion does not", async () => {
  const remove = (EventTime: string, DeletionMode?: "HardDelete"): Promise<unknown> =>
    client.send(
      new DeleteRecordCommand({
        FeatureGroupName,
        RecordIdentifierValueAsString: "s1",
        EventTime,
        ...(DeletionMode ? { DeletionMode } : {}),
      }),
    );
  await put(record("s1", "1783764001"));
  await remove("1783764000");
  expect(await get("s1")).toBeDefined();
  await remove("1783764002");
  await put(record("s1", "1783764001"));
  expect(await get("s1")).toBeUndefined();
  await put(record("s1", "1783764003"));
  await expect(remove("1783764003", "HardDelete")).rejects.toMatchObject({ name: "ValidationError" });
  expect(await get("s1")).toBeDefined();
  await remove("1783764003.001", "HardDelete");
  expect(await get("s1")).toBeUndefined();
  await put(record("s1", "1783764001"));
  expect(await get("s1")).toBeDefined();
});

test("a batch leaves out missing records, and reports unknown feature groups as errors", async () => {
  await put(record("s1", "1783764000"));
  const batch = await client.send(
    new BatchGetRecordCommand({
      Identifiers: [
        { FeatureGroupName, RecordIdentifiersValueAsString: ["s1", "s2"], FeatureNames: ["sensor_id"] },
        { FeatureGroupName: "none", RecordIdentifiersValueAsString: ["s1"] },
      ],
    }),
  );
  expect(batch.Records).toEqual([
    {
      FeatureGroupName,
      RecordIdentifierValueAsString: "s1",
      Record: [{ FeatureName: "sensor_id", ValueAsString: "s1" }],
    },
  ]);
  expect(batch.Errors).toMatchObject([{ FeatureGroupName: "none", ErrorCode: "ResourceNotFound" }]);
});

test("a record disappears when its time to live is over", async () => {
  const minuteAgoMs = Date.now() - 60_000;
  const minuteAgo = String(minuteAgoMs / 1_000);
  await put(record("old", minuteAgo), { TtlDuration: { Unit: "Seconds", Value: 59 } });
  await put(record("new", minuteAgo), { TtlDuration: { Unit: "Hours", Value: 1 } });
  expect(await get("old")).toBeUndefined();
  const { ExpiresAt } = await client.send(
    new GetRecordCommand({ FeatureGroupName, RecordIdentifierValueAsString: "new", ExpirationTimeResponse: "Enabled" }),
  );
  expect(ExpiresAt).toBe(new Date(minuteAgoMs + 3_600_000).toISOString());
});

test("invalid calls are refused with the errors of the service", async () => {
  expect(
    await outcome(client.send(new GetRecordCommand({ FeatureGroupName: "none", RecordIdentifierValueAsString: "s1" }))),
  ).toBe("ResourceNotFound 404");
  for (const values of [
    record("s1", "1783764000", { unknown: "1" }),
    record("s1", "1783764000", { count: "1.5" }),
    record("s1", "1783764000", { ax_mean: "NaN" }),
    record("s1", "2026-07-11T10:00:00Z"),
    record("s1", "1783764000").slice(0, 1),
    record("s1", "1783764000").slice(1),
    record("s".repeat(350 * 1024), "1783764000"),
  ])
    expect(await put(values)).toBe("ValidationError 400");
});

test("Athena reads the table that SageMaker names, with each record that was put and each deletion", async () => {
  await put(record("s1", "1783764001", { count: "1" }));
  await put(record("s1", "1783764000", { count: "2" }), { TargetStores: ["OfflineStore"] });
  await put(record("s2", "1783764002"), { TargetStores: ["OnlineStore"] });
  await client.send(
    new DeleteRecordCommand({ FeatureGroupName, RecordIdentifierValueAsString: "s1", EventTime: "1783764003" }),
  );
  expect([await get("s1"), (await get("s2"))?.["event_time"]]).toEqual([undefined, "1783764002"]);
  child.kill("SIGKILL");
  await once(child, "exit");
  await start();

  const sagemaker = new SageMakerClient(clientOptions());
  const { OfflineStoreConfig, RecordIdentifierFeatureName, FeatureDefinitions } = await sagemaker.send(
    new DescribeFeatureGroupCommand({ FeatureGroupName }),
  );
  expect(RecordIdentifierFeatureName).toBe("sensor_id");
  expect(FeatureDefinitions).toContainEqual({ FeatureName: "count", FeatureType: "Integral" });
  const { Database, TableName } = OfflineStoreConfig!.DataCatalogConfig!;
  const athena = new AthenaClient(clientOptions());
  const run = async (QueryString: string): Promise<string | undefined> =>
    (await athena.send(new StartQueryExecutionCommand({ QueryString, WorkGroup: "primary" }))).QueryExecutionId;
  const columns = 'sensor_id, event_time, "count", is_deleted';
  const query = `SELECT ${columns} FROM "${Database}"."${TableName}" ORDER BY event_time`;
  const QueryExecutionId = await run(query);
  const { QueryExecution } = await athena.send(new GetQueryExecutionCommand({ QueryExecutionId }));
  expect(QueryExecution).toMatchObject({ Query: query, Status: { State: "SUCCEEDED" } });
  const { ResultSet } = await athena.send(new GetQueryResultsCommand({ QueryExecutionId }));
  expect(ResultSet?.Rows?.map(({ Data }) => Data?.map(({ VarCharValue }) => VarCharValue ?? null))).toEqual([
    ["sensor_id", "event_time", "count", "is_deleted"],
    ["s1", "1783764000", "2", "false"],
    ["s1", "1783764001", "1", "false"],
    ["s1", "1783764003", null, "true"],
  ]);

  const failed = await run("SELECT nonsense FROM nowhere");
  const { QueryExecution: failure } = await athena.send(new GetQueryExecutionCommand({ QueryExecutionId: failed }));
  expect(failure?.Status).toMatchObject({ State: "FAILED", StateChangeReason: expect.stringContaining("nowhere") });
  expect(await outcome(athena.send(new GetQueryResultsCommand({ QueryExecutionId: failed })))).toBe(
    "InvalidRequestException 400",
  );
  expect(await outcome(sagemaker.send(new DescribeFeatureGroupCommand({ FeatureGroupName: "none" })))).toBe(
    "ResourceNotFound 404",
  );
});
