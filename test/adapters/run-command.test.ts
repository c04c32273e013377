import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, test } from "@jest/globals";

const ROOT = join(import.meta.dirname, "..", "..");
const RUN = `
import { runCommand, print } from "${ROOT}/adapters/run-command.ts";
import { parseCommandLine } from "${ROOT}/adapters/command-line.ts";
import { MillraceError } from "${ROOT}/domain/errors.ts";
`;
const nodeArgs = (body: string): string[] => [
  "--disable-warning=ExperimentalWarning",
  "--input-type=module",
  "--eval",
  `${RUN}${body}`,
];

/** Runs the body as a program and gives its exit code and outputs. */
function run(body: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...nodeArgs(body), "--", ...args], {
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

test("an error with a code is printed as code and message", () => {
  const body = `await runCommand(async () => { throw new MillraceError("arguments-invalid", "no topic"); });`;
  expect(run(body)).toEqual({ status: 1, stdout: "", stderr: "arguments-invalid: no topic\n" });
});

test("any other error is printed with its stack and its cause", () => {
  const body = `await runCommand(() => { throw new TypeError("broken", { cause: new Error("the disk") }); });`;
  const { status, stderr } = run(body);
  expect(status).toBe(1);
  expect(stderr).toMatch(/^TypeError: broken\n +at /);
  expect(stderr).toMatch(/\[cause\]: Error: the disk/);
});

test("--help prints the usage and ends well", () => {
  const body = `await runCommand(() => { parseCommandLine(["--help"], { usage: "USAGE", options: {} }); });`;
  expect(run(body)).toEqual({ status: 0, stdout: "USAGE\n", stderr: "" });
});

test("a reader that has seen enough ends the command without an error", async () => {
  const body = `await runCommand(async () => { for (;;) await print("line\\n".repeat(1_000)); });`;
  const child = spawn(process.execPath, nodeArgs(body), { stdio: ["ignore", "pipe", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (data) => (stderr += String(data)));
  const ended = once(child, "exit");
  await once(child.stdout, "data");
  child.stdout.destroy();
  expect([(await ended)[0], stderr]).toEqual([0, ""]);
});
