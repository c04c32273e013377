import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

/**
 * Folder of the programs of Python tools (moto's server, cfn-lint, Prometheus' parser, sqlglot, IAM's lists where no
 * others are named), installed on first use. `undefined` with the reason on standard error where there is no Python, or
 * the tools can't be had.
 *
 * @param name Begins the name of their folder in `.millrace`.
 * @param requirements What they are, a file as pip reads it.
 */
export function pythonTools(name = "python", requirements = "test/cdk/standin/requirements.txt"): string | undefined {
  const wanted = createHash("sha256")
    .update(readFileSync(join(root, requirements)))
    .digest("hex");
  const folder = join(root, ".millrace", `${name}-${wanted.slice(0, 8)}`);
  if (existsSync(folder)) return join(folder, "bin");
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
      join(root, requirements),
    );
  if (problem !== undefined) {
    rmSync(making, { recursive: true, force: true });
    process.stderr.write(`the checks that ${requirements} names are left out: ${problem}\n`);
    return undefined;
  }
  try {
    // Programs are run by their Python (`python -m …`), so the folder may move.
    renameSync(making, folder);
  } catch (error) {
    // Another process has installed them meanwhile, and may be using them.
    rmSync(making, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  return join(folder, "bin");
}
