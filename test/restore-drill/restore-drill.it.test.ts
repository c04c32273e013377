import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, jest, test } from "@jest/globals";

const ROOT = join(import.meta.dirname, "..", "..");
jest.setTimeout(900_000);

// A process of its own, because ONNX Runtime does not accept the arrays of Jest's realm.
test("what is rebuilt from the lake alone is equal, and the next generation loses and doubles nothing", async () => {
  const command = [
    join(ROOT, "local/bootstrap.mjs"),
    "test/restore-drill/main.ts",
    "--sensors",
    "5",
    "--seconds",
    "12",
  ];
  const { stdout } = await promisify(execFile)(process.execPath, command, { cwd: ROOT });
  const result = JSON.parse(stdout) as {
    lost: string[];
    differences: string[];
    compared: Record<string, number>;
    accounts: { published: number };
    lakeReadings: number;
    endedByNext: number;
  };
  expect(result.lost).toEqual(expect.arrayContaining(["dynamodb", "features", "kafka", "mongodb"]));
  expect(result.lost).not.toContain("lake");
  expect(result.differences).toEqual([]);
  expect(result.accounts).toMatchObject({ lost: 0, duplicated: 0, sessionsWrong: [] });
  // 5 sensors of 50 Hz for 12 s, twice.
  expect(result.accounts.published).toBeGreaterThan(5_000);
  expect(result.lakeReadings).toBe(result.accounts.published);
  // Each sensor's session was open at the loss: its end is told by the state that was restored.
  expect(result.endedByNext).toBe(5);
  for (const compared of Object.values(result.compared)) expect(compared).toBeGreaterThanOrEqual(5);
});
