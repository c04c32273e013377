import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import type { BatchResponse } from "../../domain/api.ts";
import { pickFreePorts } from "../../local/processes/ports.ts";
import { mskEvent } from "./events.ts";
import { startFunction, type FunctionProcess } from "./function-process.ts";

jest.setTimeout(180_000);

let folder: string;
let firehose: ChildProcess;
let writeLake: FunctionProcess;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace-lake-"));
  const [port] = await pickFreePorts(1);
  const main = join(import.meta.dirname, "../../local/firehose/main.ts");
  firehose = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main], {
    env: { ...process.env, LAKE_DIR: folder, FIREHOSE_PORT: String(port) },
    stdio: ["ignore", "ignore", "pipe"],
  });
  for await (const line of firehose.stderr as AsyncIterable<Buffer>)
    if (line.toString().includes("endpoint is ready")) break;
  writeLake = startFunction("write-lake", {
    FIREHOSE_ENDPOINT: `http://127.0.0.1:${port}`,
    MILLRACE_ENV: "local",
    LAKE_STREAMS: "raw=2",
  });
});
afterAll(async () => {
  await writeLake.stop();
  firehose.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

test("rows of a table with several streams go to the one that the record's place says", async () => {
  const failures = async (offset: number): Promise<readonly unknown[]> => {
    const record = { topic: "imu-data-all", offset, timestamp: 1_657_533_977_813, key: "s1", value: {} };
    return (await writeLake.invoke<BatchResponse>(mskEvent([record]))).batchItemFailures;
  };
  // The local endpoint has one stream of each table: what would go to a second one it does not take.
  const refused = (offset: number): unknown[] => [{ itemIdentifier: { partition: "imu-data-all-0", offset } }];
  expect([await failures(8), await failures(9)]).toEqual([[], refused(9)]);
  expect([await failures(10), await failures(11)]).toEqual([[], refused(11)]);
});
