import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";

const ROOT = join(import.meta.dirname, "..", "..", "..");

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-pipeline-"));
  writeFileSync(join(folder, "input.ndjson"), '{"key":null,"timestamp":1,"value":null}\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a program where no server listens: whatever it did before it read the name would fail with another error. */
function run(program: string, args: readonly string[], env: Readonly<Record<string, string>>) {
  const nowhere = { KAFKA_BROKERS: "127.0.0.1:1", DYNAMODB_ENDPOINT: "http://127.0.0.1:1", MODEL_SOURCE: folder };
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(ROOT, "processor", program), ...args],
    { encoding: "utf8", cwd: folder, timeout: 60_000, env: { ...process.env, ...nowhere, ...env } },
  );
  return { status, stdout, stderr };
}

test.each([
  ["main.ts", []],
  ["commands/recover/main.ts", []],
  ["commands/rescale/main.ts", ["--partitions", "5"]],
  ["commands/replay/main.ts", ["--input", "input.ndjson", "--flush"]],
  ["commands/model/main.ts", ["off", "activity", "1.0.0"]],
])(
  "%s %j refuses a pipeline that is not there, and touches nothing",
  (program, args) => {
    const { status, stdout, stderr } = run(program, args, { PIPELINE: "forex" });
    expect(status).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toContain("config-invalid");
    // A program writes it as a line of its log, a command as text.
    expect(stderr.replaceAll('\\"', '"')).toContain(
      'PIPELINE is "forex": there is no such pipeline; there are: sensor, market',
    );
    expect(readdirSync(folder)).toEqual(["input.ndjson"]);
  },
  60_000,
);

test("a replay refuses --pipeline with a name that is not there", () => {
  const { status, stdout, stderr } = run("commands/replay/main.ts", ["--input", "x", "--pipeline", "forex"], {});
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toContain(
    'arguments-invalid: --pipeline is "forex"; there is no such pipeline; there are: sensor, market',
  );
}, 60_000);

test("a pipeline without models has none to promote", () => {
  const { status, stdout, stderr } = run("commands/model/main.ts", ["off", "activity", "1.0.0"], {
    PIPELINE: "market",
  });
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toContain("config-invalid: PIPELINE is market, which takes no model records");
}, 60_000);

test("a replay's --pipeline stands above PIPELINE", () => {
  const args = ["--input", "input.ndjson", "--pipeline", "sensor"];
  expect(run("commands/replay/main.ts", args, { PIPELINE: "sensor" })).toEqual({ status: 0, stdout: "", stderr: "" });
}, 60_000);

test.each([
  "dump",
  "recover",
  "rescale",
  "replay",
  "model",
  "settings",
  "reference",
  "dead-letters",
  "trace",
  "inspect",
])(
  "%s --help prints its usage",
  (command) => {
    const { status, stdout, stderr } = run(`commands/${command}/main.ts`, ["--help"], {});
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(new RegExp(`^npm run ${command} -- `));
  },
  60_000,
);
