import { dirname } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { packageScripts, sourceFile, sourceFiles, type SourceFile } from "./source-files.ts";
import { type Folder, folders } from "./table.ts";

const topFolders = [...new Set(folders.map(({ folder }) => folder.split("/")[0]!))];
const files = topFolders.flatMap(sourceFiles);

/** The entry of the table that a file belongs to. */
function entryOf(path: string): Folder | undefined {
  return folders
    .filter(({ folder }) => path.startsWith(`${folder}/`))
    .sort((a, b) => b.folder.length - a.folder.length)[0];
}

/** The folder of the table that a file is in; `.` for a file in the repository's root. */
function folderOf(path: string): string {
  return entryOf(path)?.folder ?? dirname(path);
}

/** Imports of a file that its folder does not allow. */
function wrongImports({ path, files: imported, packages }: SourceFile): string[] {
  const entry = entryOf(path);
  if (!entry) return [`${path} is in no folder of the table`];
  const allowed = new Set([entry.folder, ...entry.imports]);
  const wrongFiles = imported.filter((target) => !allowed.has(folderOf(target)));
  const wrongPackages = entry.packages === "any" ? [] : packages.filter((name) => !entry.packages.includes(name));
  return [...wrongFiles, ...wrongPackages].map((target) => `${path} imports ${target}`);
}

/** Wall clock, timers and randomness: they make a second run differ from the first. */
const NOT_DETERMINISTIC = new RegExp(
  [
    /\b(?:Date\.now\b|hrtime\b|performance\s*[.?[])|\bnew Date\(\)/,
    /\b(?:Math\.random|(?<!node:)(?:web)?crypto|getRandomValues|random(?:UUID|Bytes|Int|Fill))\b/,
    /\bset(?:Timeout|Interval|Immediate)\b/,
  ]
    .map(({ source }) => source)
    .join("|"),
);
const ENVIRONMENT = /\bprocess\.env\b|\bimport\.meta\.env\b/;

/**
 * Programs may read the environment: `main.ts`, a Lambda's `handler.ts`, and the files that npm scripts name.
 * Benchmarks pass theirs to the programs that they start.
 */
function isProgram({ path }: SourceFile): boolean {
  return (
    /(?:^|\/)(?:main|handler)\.ts$/.test(path) ||
    /^(?:bin|bench)\//.test(path) ||
    packageScripts().some((script) => script.split(" ").includes(path))
  );
}
/** CDK's variable with the account to deploy to. */
const CDK_ACCOUNT = 'process.env["CDK_DEFAULT_ACCOUNT"]';
/** What a library reads when it is loaded, written and not read. */
const NO_TELEMETRY = 'process.env["ORT_DISABLE_TELEMETRY"] = "1"';

describe("the layout", () => {
  test("has imports that go one way, and client libraries in adapters only", () => {
    expect(files.length).toBeGreaterThan(100);
    expect(files.flatMap(wrongImports)).toEqual([]);
  });

  test("has no circle: a folder imports only folders above it in the table", () => {
    const above = (index: number): string[] => [".", ...folders.slice(0, index).map(({ folder }) => folder)];
    const downwards = folders.flatMap(({ folder, imports }, index) =>
      imports.filter((target) => !above(index).includes(target)).map((target) => `${folder} imports ${target}`),
    );
    expect(downwards).toEqual([]);
  });

  test("lets only programs read the environment", () => {
    const readers = files.filter(
      (file) =>
        !isProgram(file) && ENVIRONMENT.test(file.code.replaceAll(CDK_ACCOUNT, "").replaceAll(NO_TELEMETRY, "")),
    );
    expect(readers.map(({ path }) => path)).toEqual([]);
  });

  test("keeps clocks, timers and randomness out of the folders that decide", () => {
    const deterministic = files.filter(({ path }) => entryOf(path)?.deterministic);
    expect(deterministic.length).toBeGreaterThan(30);
    expect(
      deterministic.flatMap(
        ({ path, code }) => code.match(NOT_DETERMINISTIC)?.map((found) => `${path}: ${found}`) ?? [],
      ),
    ).toEqual([]);
  });
});

test("imports of every form are found, and those in comments are not", () => {
  const file = sourceFile(
    "processor/runtime/x.ts",
    [
      'import { a } from "./a.ts";',
      'import type {\n  b,\n} from "../../domain/b.ts";',
      'export * from "../operators/c.ts";',
      'import "node:fs";',
      'const d = await import("kafkajs");',
      '// import e from "./e.ts";',
      '/* import f from "./f.ts"; */',
      'const text = "from here";',
    ].join("\n"),
  );
  expect(file.files).toEqual(["processor/runtime/a.ts", "domain/b.ts", "processor/operators/c.ts"]);
  expect(file.packages).toEqual(["node:fs", "kafkajs"]);
  expect(wrongImports(file)).toEqual([
    "processor/runtime/x.ts imports processor/operators/c.ts",
    "processor/runtime/x.ts imports node:fs",
    "processor/runtime/x.ts imports kafkajs",
  ]);
});
