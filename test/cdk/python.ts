import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./synthesised.ts";

const requirements = join(root, "test/cdk/standin/requirements.txt");
const folder = join(root, ".millrace/python");
const stamp = join(folder, "requirements.txt");

/**
 * Folder of the Python tools' programs (moto's server, cfn-lint, Prometheus' parser, sqlglot, IAM's lists), installed
 * on first use. `undefined` with the reason on standard error where there is no Python, or the tools can't be had.
 */
export function pythonTools(): string | undefined {
  const wanted = readFileSync(requirements, "utf8");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return join(folder, "bin");
  const making = `${folder}-${process.pid}`;
  mkdirSync(join(root, ".millrace"), { recursive: true });
  const run = (command: string, ...args: string[]): string | undefined => {
    const result = spawnSync(command, args, { encoding: "utf8" });
    return result.status === 0 ? undefined : (result.error?.message ?? result.stderr.trim().split("\n").at(-1));
  };
  const problem =
    run("python3", "-m", "venv", making) ??
    run(
      join(making, "bin/python"),
      "-m",
      "pip",
      "install",
      "--quiet",
      "--disable-pip-version-check",
      "-r",
      requirements,
    );
  if (problem !== undefined) {
    rmSync(making, { recursive: true, force: true });
    process.stderr.write(`the AWS stand-in, cfn-lint and the other checks in Python are left out: ${problem}\n`);
    return undefined;
  }
  rmSync(folder, { recursive: true, force: true });
  // Programs are run by their Python (`python -m …`), so the folder may move.
  renameSync(making, folder);
  writeFileSync(stamp, wanted);
  return join(folder, "bin");
}
