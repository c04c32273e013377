import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { nodeArguments } from "../config/node.ts";

/** A version of Millrace whose processor can be run. */
export interface Version {
  readonly name: string;
  readonly root: string;
  /** Its own arguments of Node.js: they are part of what is compared. */
  readonly nodeArguments: readonly string[];
}

const ROOT = join(import.meta.dirname, "..");

export const thisVersion: Version = { name: "this version", root: ROOT, nodeArguments: nodeArguments() };

/**
 * Another version of Millrace.
 *
 * @param revision What git knows by this name, checked out into a folder under `.millrace`; or the folder of a clone.
 * @throws Error that says what to do when it can't run on the packages that are installed here
 */
export async function otherVersion(revision: string): Promise<Version> {
  if (existsSync(join(revision, "processor", "main.ts"))) return await versionIn(resolve(revision), revision);
  const git = (...args: string[]): string =>
    execFileSync("git", args, { cwd: ROOT, encoding: "utf8", stdio: "pipe" }).trimEnd();
  const commit = git("rev-parse", "--verify", "--end-of-options", `${revision}^{commit}`);
  if (git("show", `${commit}:package-lock.json`) !== readFileSync(join(ROOT, "package-lock.json"), "utf8").trimEnd())
    throw new Error(
      `${revision} needs other packages than those installed here (its package-lock.json differs). ` +
        `Run git worktree add DIR ${revision}, npm install in DIR, and give --compare DIR.`,
    );
  const root = join(ROOT, ".millrace", "versions", commit.slice(0, 12));
  if (!existsSync(root)) {
    mkdirSync(join(root, ".."), { recursive: true });
    git("worktree", "add", "--detach", "--force", root, commit);
  }
  const modules = join(root, "node_modules");
  if (!existsSync(modules)) symlinkSync(join(ROOT, "node_modules"), modules, "dir");
  return await versionIn(root, revision);
}

async function versionIn(root: string, name: string): Promise<Version> {
  const file = join(root, "config", "node.ts");
  const own = (await import(pathToFileURL(file).href)) as { nodeArguments(program: string): string[] };
  return { name, root, nodeArguments: own.nodeArguments("processor") };
}
