import { readdirSync, readFileSync } from "node:fs";
import { join, normalize, dirname } from "node:path";

const ROOT = join(import.meta.dirname, "..", "..");

export interface SourceFile {
  /** Relative to the repository's root. */
  readonly path: string;
  /** Without comments. */
  readonly code: string;
  /** Imported files, relative to the repository's root. */
  readonly files: readonly string[];
  /** Imported packages and `node:` modules. */
  readonly packages: readonly string[];
}

/** The TypeScript files in a folder and below it. */
export function sourceFiles(folder: string): SourceFile[] {
  const names = readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" });
  return names
    .filter((name) => /\.tsx?$/.test(name) && !name.includes("node_modules"))
    .map((name) => sourceFile(join(folder, name), readFileSync(join(ROOT, folder, name), "utf8")));
}

/** Reads the imports of a file's text. */
export function sourceFile(path: string, text: string): SourceFile {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/(^|\s)\/\/.*$/gm, "$1");
  const imported = [
    ...code.matchAll(/(?:\b(?:import|export)\b[^"'`;]*?\bfrom\s*|\bimport\s*\(\s*|^\s*import\s+)["']([^"']+)["']/gm),
  ].map((match) => match[1]!);
  const isFile = (specifier: string): boolean => specifier.startsWith(".");
  return {
    path,
    code,
    files: imported.filter(isFile).map((specifier) => normalize(join(dirname(path), specifier))),
    packages: imported.filter((specifier) => !isFile(specifier)),
  };
}

/** The commands of the npm scripts. */
export function packageScripts(): string[] {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  return Object.values(scripts);
}
