import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { buildSync } from "esbuild";
import { flag, parseCommandLine } from "../../adapters/command-line.ts";
import { runCommand } from "../../adapters/run-command.ts";
import { MillraceError } from "../../domain/errors.ts";
import { read, write } from "./code.ts";

const USAGE = `npm run golden -- [--replace]
Writes test/golden/<version>/ for a release: what this version writes (golden.json), what that says (decoded.json),
and this version's own code that reads and writes it (code.mjs.gz). A folder that is there stays, unless --replace is
given.`;

/** Records and tasks are in lists of an object; what is in them stands on a line. */
const DEPTH_OF_LINES = 2;

async function main(args: readonly string[]): Promise<void> {
  const { values } = parseCommandLine(args, { usage: USAGE, options: { replace: flag } });
  const golden = await write();
  const folder = join(import.meta.dirname, golden.version);
  if (existsSync(folder) && !values.replace)
    throw new MillraceError("arguments-invalid", `${folder} is there already: a release's files stay as they are`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "golden.json"), inLines(golden));
  writeFileSync(join(folder, "decoded.json"), inLines(await read(golden)));
  writeFileSync(join(folder, "code.mjs.gz"), gzipSync(bundle(), { level: 9 }));
  console.log(`${folder}: ${golden.records.length} records, ${golden.tasks.length} snapshots`);
}

/** JSON with a line for each record and for each task's field. */
function inLines(value: unknown, depth = 0): string {
  if (depth === DEPTH_OF_LINES || typeof value !== "object" || value === null) return JSON.stringify(value);
  const parts = Array.isArray(value)
    ? value.map((item) => inLines(item, depth + 1))
    : Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${inLines(item, depth + 1)}`);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return `${open}\n${parts.join(",\n")}\n${close}${depth === 0 ? "\n" : ""}`;
}

/** This version's `read` and `write` in one file, without any import but Node's. */
function bundle(): Uint8Array {
  const { outputFiles } = buildSync({
    entryPoints: [join(import.meta.dirname, "code.ts")],
    bundle: true,
    platform: "node",
    target: "node24",
    format: "esm",
    minify: true,
    write: false,
    logLevel: "error",
  });
  return outputFiles[0]!.contents;
}

await runCommand(main);
