import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

/**
 * Folder of the programs of Python tools (moto's server, cfn-lint, Prometheus' parser, sqlglot, IAM's lists where no
 * others are named), installed on first use. `undefined` with the reason on standard error where there is no Python, or
 * the tools can't be had.
 *
 * @param name Of their folder in `.millrace`.
 * @param requirements What they are, a file as pip reads it.
 */
export function pythonTools(name = "python", requirements = "test/cdk/standin/requirements.txt"): string | undefined {
  const folder = join(root, ".millrace", name);
  const stamp = join(folder, "requirements.txt");
  const wanted = readFileSync(join(root, requirements), "utf8");
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
      join(root, requirements),
    );
  if (problem !== undefined) {
    rmSync(making, { recursive: true, force: true });
    process.stderr.write(`the checks that ${requirements} names are left out: ${problem}\n`);
    return undefined;
  }
  rmSync(folder, { recursive: true, force: true });
  // Programs are run by their Python (`python -m …`), so the folder may move.
  renameSync(making, folder);
  writeFileSync(stamp, wanted);
  return join(folder, "bin");
}
