import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { pipelineNames } from "../../domain/pipelines.ts";
import { folders } from "./table.ts";

const root = join(import.meta.dirname, "..", "..");
const page = readFileSync(join(root, "docs", "project-structure.md"), "utf8");
const NOT_SOURCES = ["cdk.out", "node_modules"];

/** Folders directly in a folder, without hidden ones. */
function foldersIn(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith(".") && !NOT_SOURCES.includes(entry.name))
    .map(({ name }) => join(folder, name));
}

/** The rows of the page's table: folder, and the folders that it may import. */
const documented = new Map(
  page
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => {
      const [folder, , imports] = line.slice(2, -2).split(" | ");
      const names = [...imports!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);
      return [folder!.replaceAll("`", "").replace(/\/$/, ""), names] as const;
    }),
);
const ruled = folders.map(({ folder }) => folder);

test("docs/project-structure.md lists the folders of the repository, of processor/ and of the table of imports", () => {
  const expected = new Set([...foldersIn("."), ...foldersIn("processor"), ...ruled]);
  expect([...documented.keys()].sort()).toEqual([...expected].sort());
});

test("each pipeline of the table has its folder, and no other folder is there", () => {
  expect(foldersIn("processor/pipelines").sort()).toEqual(
    pipelineNames.map((name) => `processor/pipelines/${name}`).sort(),
  );
});

test("docs/project-structure.md says of each folder what the table of imports says", () => {
  const expected = folders.map(({ folder, imports }) => [folder, imports.filter((name) => name !== ".").toSorted()]);
  expect(ruled.map((folder) => [folder, [...(documented.get(folder) ?? [])].sort()])).toEqual(expected);
  const others = [...documented].filter(([folder]) => !ruled.includes(folder));
  expect(others.flatMap(([, imports]) => imports)).toEqual([]);
});
