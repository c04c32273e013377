import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, jest, test } from "@jest/globals";
import { pickPlatformPorts } from "../../local/processes/ports.ts";
import { eventually } from "../support/eventually.ts";
import { StartedPlatform } from "../support/platform.ts";

jest.setTimeout(500_000);
const examples = join(import.meta.dirname, "../../examples");
const folder = mkdtempSync(join(tmpdir(), "millrace-example-"));
let platform: StartedPlatform | undefined;
afterAll(async () => {
  platform?.interrupt();
  await platform?.exited;
  rmSync(folder, { recursive: true, force: true });
});

test("a device learns what was refused and publishes what is right, and a program in Python reads both", async () => {
  const ports = await pickPlatformPorts();
  platform = new StartedPlatform(join(folder, "home"), ports, ["--no-simulator"], { IDLE_TIMEOUT_MS: "2000" });
  await platform.untilUp(240_000);
  const run = promisify(execFile);
  const device = join(examples, "device/main.ts");
  const { stdout } = await run(process.execPath, [device, "my-device", "127.0.0.1", String(ports.mqtt)], {
    timeout: 120_000,
  });
  const refused = JSON.parse(/^refused: (.*)$/m.exec(stdout)![1]!) as Record<string, unknown>;
  // 1,000 is more than the 320 m/s² of the contract.
  expect(refused).toMatchObject({ code: "out-of-range", seq: 0, message: expect.stringContaining("1000") });
  expect(stdout).toContain("published: 10 messages");
  // Ten messages of ten readings; the windows fire when the sensor is silent.
  const read = async (): Promise<string> => {
    const { stdout: text } = await run(
      "python3",
      [join(examples, "client/sensors.py"), "my-device", `http://127.0.0.1:${ports.api}`],
      { timeout: 60_000 },
    ).catch((error: { stderr: string }) => ({ stdout: error.stderr }));
    return text;
  };
  const text = await eventually(read, {
    until: (shown) => shown.includes("windows of a second: 100\n") && shown.includes("refused:"),
    limitMs: 120_000,
  });
  expect(text).toMatch(/^refused: out-of-range - \S+/m);
  expect(text).toContain('"rejected": 1');
});
