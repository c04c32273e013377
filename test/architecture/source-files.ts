import { readdirSync, readFileSync } from "node:fs";
import { join, normalize, dirname } from "node:path";

const ROOT = join(import.meta.dirname, "..", "..");

export interface SourceFile {
  /** From the repository's root. */
  readonly path: string;
  /** Without comments. */
  readonly code: string;
  /** Files of the repository, from its root. */
  readonly files: readonly string[];
  readonly packages: readonly string[];
}

/** The TypeScript files in a folder and all below it. */
export function sourceFiles(folder: string): SourceFile[] {
  const names = readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" });
  return names
    .filter((name) => name.endsWith(".ts") && !name.includes("node_modules"))
    .map((name) => sourceFile(join(folder, name), readFileSync(join(ROOT, folder, name), "utf8")));
}

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

export function packageScripts(): string[] {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  return Object.values(scripts);
}
