import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSync } from "esbuild";

/** The project's folder. */
export const root = join(import.meta.dirname, "..");

let folder: string | undefined;

/**
 * Folder with the bundle `index.mjs` of one function, `lambda/<name>/handler.ts`. The first call bundles all functions
 * at once, in this process and without Docker. The same sources give the same bytes.
 */
export function functionBundle(name: string): string {
  folder ??= bundleFunctions();
  return join(folder, name);
}

/** Names of the functions: the folders of `lambda/` that have a handler. */
function functionNames(): string[] {
  return readdirSync(join(root, "lambda"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && readdirSync(join(root, "lambda", entry.name)).includes("handler.ts"))
    .map(({ name }) => name)
    .sort();
}

/** Bundles every function into a new folder, which is removed when the process ends. */
function bundleFunctions(): string {
  const outdir = mkdtempSync(join(tmpdir(), "millrace-bundles-"));
  process.once("exit", () => rmSync(outdir, { recursive: true, force: true }));
  buildSync({
    absWorkingDir: root,
    entryPoints: Object.fromEntries(
      functionNames().map((name) => [`${name}/index`, join(root, "lambda", name, "handler.ts")]),
    ),
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    target: "node24",
    format: "esm",
    // Packages with binaries of the machine that bundles.
    alias: {
      "@node-rs/crc32": "./lambda/portable/crc32.ts",
      "lz4-napi": "./lambda/portable/codecs.ts",
      snappy: "./lambda/portable/codecs.ts",
    },
    minifySyntax: true,
    minifyWhitespace: true,
    // Packages that are still CommonJS call `require` for Node's own modules.
    banner: {
      js:
        'import { createRequire as millraceCreateRequire } from "node:module"; ' +
        "const require = millraceCreateRequire(import.meta.url);",
    },
    logLevel: "error",
  });
  return outdir;
}
