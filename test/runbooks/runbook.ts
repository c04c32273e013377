import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const ROOT = join(import.meta.dirname, "..", "..");
/** Sections whose commands whoever is on call runs. */
const SECTIONS = ["First look", "Commands"];
const ON_AWS = "On AWS";
const LIMIT_MS = 180_000;

/** The blocks of commands of a runbook, as they stand there, those for AWS excepted. */
export function commandsOf(runbook: string): string[] {
  const text = readFileSync(join(ROOT, "docs", "runbooks", `${runbook}.md`), "utf8");
  return text
    .split(/^## /m)
    .filter((section) => SECTIONS.some((title) => section.startsWith(`${title}\n`)))
    .flatMap((section) => [...section.split(`\n${ON_AWS}`)[0]!.matchAll(/^```sh\n(.*?)^```/gms)])
    .map(([, commands]) => commands!);
}

/**
 * Runs a block of commands in the repository's folder. A command of it that fails ends it.
 *
 * @returns what it printed
 * @throws Error with its output when it fails
 */
export async function run(commands: string, env: Readonly<Record<string, string>>): Promise<string> {
  const { stdout } = await promisify(execFile)("bash", ["-euo", "pipefail", "-c", commands], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    timeout: LIMIT_MS,
  });
  return stdout;
}
