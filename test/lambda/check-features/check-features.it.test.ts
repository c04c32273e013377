import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  DeleteRecordCommand,
  PutRecordCommand,
  SageMakerFeatureStoreRuntimeClient,
  type TargetStore,
} from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { freePort, killPrograms, startProgram } from "../../local/support/program.ts";
import { mskEvent } from "../events.ts";
import { startFunction, type FunctionProcess } from "../function-process.ts";
import { windowed } from "../records.ts";

const LIMIT_MS = 60_000;
const SENSORS = "millrace-local-sensor-windows-v2";
const BARS = "millrace-local-market-bars-v2";

let folder: string;
let store: ChildProcess;
let client: SageMakerFeatureStoreRuntimeClient;
let write: FunctionProcess;
let check: FunctionProcess;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace-check-features-"));
  const port = await freePort();
  store = await startProgram("local/features/main.ts", { FEATURES_DIR: folder, FEATURES_PORT: String(port) });
  const endpoint = `http://127.0.0.1:${port}`;
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  client = new SageMakerFeatureStoreRuntimeClient({ region: "us-east-1", endpoint, credentials });
  const env = { FEATURE_STORE_ENDPOINT: endpoint, OFFLINE_STORE_ENDPOINT: endpoint, PIPELINES: "sensor,market" };
  write = startFunction("write-features", env);
  check = startFunction("check-features", env);
}, LIMIT_MS);
afterAll(async () => {
  await Promise.all([write.stop(), check.stop()]);
  await killPrograms([store]);
  rmSync(folder, { recursive: true, force: true });
});

interface Group {
  readonly group: string;
  readonly found: readonly string[];
  readonly isOffline: boolean;
  readonly reads: number;
}
const run = (request: object = {}): Promise<{ groups: Group[]; text: string }> => check.invoke(request);
const put = (
  group: string,
  identifier: [string, string],
  seconds: number,
  TargetStores: TargetStore[],
): Promise<unknown> =>
  client.send(
    new PutRecordCommand({
      FeatureGroupName: group,
      TargetStores,
      Record: [
        { FeatureName: identifier[0], ValueAsString: identifier[1] },
        { FeatureName: "event_time", ValueAsString: String(seconds) },
      ],
    }),
  );
const now = (): number => Date.now() / 1_000;

test(
  "without records the stores themselves are checked, and records are missed where they are expected",
  async () => {
    const { groups } = await run({ reads: 3 });
    expect(groups).toMatchObject([
      { group: SENSORS, reads: 3, readMs: { p50: expect.any(Number), p99: expect.any(Number) } },
      { group: BARS, reads: 3 },
    ]);
    for (const { found } of groups)
      expect(found).toEqual(["the offline store has this check already", expect.stringContaining("neither store")]);
    await expect(run({ expectsRecords: true })).rejects.toThrow(
      new RegExp(`${SENSORS}: neither store has a record.*; ${BARS}: neither store has a record`),
    );
  },
  LIMIT_MS,
);

test(
  "what write-features has written is found in both stores",
  async () => {
    const start = Math.floor(now()) * 1_000 - 3_000;
    await write.invoke(
      mskEvent([
        { topic: "sensor-data-aggregated", offset: 0, value: windowed("s1", start) },
        { topic: "sensor-data-aggregated", offset: 1, value: windowed("o'neil", start - 1_000) },
      ]),
    );
    await put(BARS, ["symbol_operator", "AAPL|tumbling-60000"], start / 1_000, []);
    const { text } = await run({ expectsRecords: true });
    const end = new Date(start + 1_000).toISOString();
    expect(text).toContain(
      `${SENSORS}: the offline store has this check already; the newest record online is s1 of ${end}`,
    );
    expect(text).toMatch(/AAPL\|tumbling-60000 of .* s old; the offline store has it; 20 reads took p50 .* ms/);
    // Of those that are asked for, whatever is newer.
    const asked = await run({ identifiers: { sensorWindows: ["o'neil"] } });
    expect(asked.text).toContain("online is o'neil of");
    expect(asked.groups[0]!.isOffline).toBe(true);
    await expect(run({ identifiers: { sensorWindows: ["nobody"] } })).rejects.toThrow("neither store has a record");
  },
  LIMIT_MS,
);

test(
  "what one store has and the other has not is named",
  async () => {
    const request = (identifier: string): object => ({ identifiers: { sensorWindows: [identifier] } });
    await put(SENSORS, ["sensor_id", "online-only"], now() - 25 * 60, ["OnlineStore"]);
    await expect(run(request("online-only"))).rejects.toThrow(
      /online is online-only of .*, 25\.0 min old; the offline store has none of it/,
    );
    // Until then it may come.
    await put(SENSORS, ["sensor_id", "just-online"], now(), ["OnlineStore"]);
    expect((await run(request("just-online"))).groups[0]!.isOffline).toBe(false);
    await put(SENSORS, ["sensor_id", "offline-only"], now(), ["OfflineStore"]);
    await expect(run()).rejects.toThrow("the online store lacks offline-only");
    // A deletion is in both stores: the record is expected in none.
    await client.send(
      new DeleteRecordCommand({
        FeatureGroupName: SENSORS,
        RecordIdentifierValueAsString: "offline-only",
        EventTime: String(now() + 1),
      }),
    );
    await run();
  },
  LIMIT_MS,
);
