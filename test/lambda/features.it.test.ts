import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GetRecordCommand } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { sensorFeatures } from "../../domain/api.ts";
import { featureGroupName } from "../../domain/names.ts";
import { featureStoreClient } from "../../lambda/shared/feature-store.ts";
import { mskEvent, restEvent } from "./events.ts";
import { startFunction, type FunctionProcess } from "./function-process.ts";
import { barred, windowed } from "./records.ts";

const T = 1_657_533_977_000;
let folder: string;
let endpoint: string;
let store: ChildProcess;
let write: FunctionProcess;
let read: FunctionProcess;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace-features-"));
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  store = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(import.meta.dirname, "../../local/features/main.ts")],
    {
      env: { ...process.env, FEATURES_PORT: String(port), FEATURES_DIR: folder, HEALTH_PORT: "0" },
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  let log = "";
  for await (const chunk of store.stderr as AsyncIterable<Buffer>)
    if ((log += chunk.toString()).includes("ready")) break;
  if (!log.includes("ready")) throw new Error(`the feature store ended: ${log}`);
  store.stderr!.resume();
  endpoint = `http://127.0.0.1:${port}`;
  const env = {
    FEATURE_STORE_ENDPOINT: endpoint,
    FEATURE_GROUP: featureGroupName("local", "sensorWindows"),
    MARKET_FEATURE_GROUP: featureGroupName("local", "marketBars"),
    ON_FAILURE_DIR: join(folder, "on-failure"),
  };
  write = startFunction("write-features", env);
  read = startFunction("read-sensors", env);
});
afterAll(async () => {
  await Promise.all([write.stop(), read.stop()]);
  if (store.exitCode === null && store.signalCode === null) {
    store.kill("SIGKILL");
    await once(store, "exit");
  }
  rmSync(folder, { recursive: true, force: true });
});

const deliver = (...windows: Record<string, unknown>[]): Promise<unknown> =>
  write.invoke(mskEvent(windows.map((value, offset) => ({ topic: "sensor-data-aggregated", offset, value }))));
async function featuresOf(sensorId: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const { statusCode, body } = await read.invoke<{ statusCode: number; body: string }>(
    restEvent("/sensors/{sensorId}/features", { pathParameters: { sensorId } }),
  );
  return { status: statusCode, body: JSON.parse(body) as Record<string, unknown> };
}

test("the API gives the features of a sensor's newest window, whatever follows it", async () => {
  expect(
    await deliver(windowed("s1", T), windowed("s1", T + 1_000, { count: 101 }), windowed("s2", T, { count: 55 })),
  ).toEqual({ batchItemFailures: [] });
  // An older window's correction and a repetition change nothing; a correction of the newest does.
  await deliver(windowed("s1", T, { revision: 9, count: 999 }), windowed("s2", T, { count: 55 }));
  const { status, body } = await featuresOf("s1");
  expect(status).toBe(200);
  expect(sensorFeatures.parse(body)).toEqual(body);
  expect(body).toMatchObject({
    sensorId: "s1",
    eventTime: T + 2_000,
    features: {
      window_start: T + 1_000,
      window_end: T + 2_000,
      revision: 0,
      count: 101,
      ax_mean: 0.5,
      gyromag_rms: 7.6,
    },
  });
  await deliver(windowed("s1", T + 1_000, { revision: 1, count: 102 }));
  expect((await featuresOf("s1")).body).toMatchObject({
    eventTime: T + 2_000.001,
    features: { revision: 1, count: 102 },
  });
  expect((await featuresOf("s2")).body).toMatchObject({ eventTime: T + 1_000, features: { count: 55 } });
});

test("features that are refused for good go to the failure queue at once, and the others are written", async () => {
  const refused = windowed("x".repeat(360 * 1_024), T);
  expect(await deliver(windowed("ok1", T), refused, windowed("ok2", T))).toEqual({ batchItemFailures: [] });
  for (const sensor of ["ok1", "ok2"]) expect((await featuresOf(sensor)).status).toBe(200);
  const lines = readFileSync(join(folder, "on-failure", "write-features.sensor-data-aggregated.ndjson"), "utf8");
  expect(
    lines
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual([
    expect.objectContaining({
      function: "write-features",
      topic: "sensor-data-aggregated",
      partition: 0,
      offset: 1,
      error: expect.objectContaining({ name: "ValidationError" }),
    }),
  ]);
});

test("the feature store has the newest bar of each symbol and operator, beside the windows", async () => {
  const minute = T - (T % 60_000);
  const bars = [
    barred("AAPL", minute - 60_000, { revision: 7 }),
    barred("AAPL", minute, { revision: 1, close: null }),
    barred("AAPL", minute),
    barred("AAPL", minute - 240_000, { windowMs: 300_000, slideMs: 60_000, count: 9 }),
    barred("x".repeat(360 * 1_024), minute),
  ];
  const event = mskEvent(bars.map((value, offset) => ({ topic: "market-aggregated", offset, value })));
  expect(await write.invoke(event)).toEqual({ batchItemFailures: [] });
  const client = featureStoreClient("us-east-1", endpoint);
  const stored = async (id: string): Promise<Record<string, string>> => {
    const { Record: values = [] } = await client.send(
      new GetRecordCommand({
        FeatureGroupName: "millrace-local-market-bars-v2",
        RecordIdentifierValueAsString: id,
      }),
    );
    return Object.fromEntries(values.map(({ FeatureName, ValueAsString }) => [FeatureName!, ValueAsString!]));
  };
  const newest = await stored("AAPL|tumbling-60000");
  expect(newest).toMatchObject({ symbol: "AAPL", window_start: String(minute), revision: "1", vwap: "151.5" });
  expect(newest).not.toHaveProperty("close");
  expect(await stored("AAPL|sliding-300000-60000")).toMatchObject({ count: "9", window_end: String(minute + 60_000) });
  const refused = readFileSync(join(folder, "on-failure", "write-features.market-aggregated.ndjson"), "utf8");
  expect(JSON.parse(refused)).toMatchObject({ topic: "market-aggregated", offset: 4 });
});

test("a sensor without features is 404", async () => {
  expect(await featuresOf("nobody")).toMatchObject({ status: 404, body: { type: "urn:millrace:problem:not-found" } });
});

test("while the feature store does not answer, windows are delivered again and readers get 503", async () => {
  store.kill("SIGKILL");
  await once(store, "exit");
  expect(await deliver(windowed("s3", T), windowed("s4", T))).toEqual({
    batchItemFailures: [{ itemIdentifier: { partition: "sensor-data-aggregated-0", offset: 0 } }],
  });
  expect((await featuresOf("s1")).status).toBe(503);
}, 30_000);
