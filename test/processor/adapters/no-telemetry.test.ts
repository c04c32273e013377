import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";

const root = join(import.meta.dirname, "../../..");

// Where it collects what it would send, it keeps an identifier and a database in the user's cache, and a log in the
// temporary folder: https://github.com/microsoft/onnxruntime/pull/27379
test("a process that loads a model leaves no file of ONNX Runtime's telemetry", () => {
  const home = mkdtempSync(join(tmpdir(), "millrace-home-"));
  try {
    const load = `
      import "./processor/adapters/onnx-model.ts";
      import { InferenceSession } from "onnxruntime-node";
      const session = await InferenceSession.create("models/activity/model.onnx");
      console.log(session.inputNames.length > 0);
    `;
    // Not the variables of this process: a build server's would keep it from sending, too.
    const { PATH } = process.env;
    const run = spawnSync(process.execPath, ["--no-warnings", "--input-type=module-typescript", "--eval", load], {
      cwd: root,
      env: { PATH, HOME: home, TMPDIR: home },
      encoding: "utf8",
    });
    expect(run.stderr).toBe("");
    expect(run.stdout).toBe("true\n");
    expect(readdirSync(home)).toEqual([]);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});
