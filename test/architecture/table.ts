/** What the files of one part may import. */
export interface Part {
  /** Folder, or several that are one part; a file belongs to the part with the longest matching folder. */
  readonly folders: readonly string[];
  /** Parts, by folder, that it may import besides itself; `processor` means the files directly in it, too. */
  readonly parts: readonly string[];
  /** Packages and `node:` modules; `any` where the part is a shell around them. */
  readonly packages: readonly string[] | "any";
  /** Whether time and chance come through ports only: no wall clock, no timer, no randomness of its own. */
  readonly deterministic?: true;
}

const path = ["processor/runtime", "processor/operators", "processor/inference", "processor/pipelines"];

/**
 * Imports go one way: upwards in this list, never downwards. (That there is no circle among the files of a part is the
 * linter's `import/no-cycle`.)
 */
export const parts: readonly Part[] = [
  { folders: ["domain"], parts: [], packages: ["zod"], deterministic: true },
  { folders: ["config"], parts: ["domain"], packages: ["zod"], deterministic: true },
  { folders: ["adapters"], parts: ["domain"], packages: "any" },
  // The path: what decides, and nothing else. Its packages are pure functions.
  { folders: path, parts: ["domain"], packages: ["zod", "node:zlib"], deterministic: true },
  {
    folders: ["processor/engine"],
    parts: ["domain", ...path],
    packages: ["node:util", "node:zlib"],
    deterministic: true,
  },
  { folders: ["processor/adapters"], parts: ["domain", "adapters", "processor/engine", ...path], packages: "any" },
  // For tests of pipelines: the engine's task on its real ports, without a program around it.
  {
    folders: ["processor/driver"],
    parts: ["domain", "adapters", "processor/adapters", "processor/engine", ...path],
    packages: "any",
  },
  {
    folders: ["processor"],
    parts: ["domain", "config", "adapters", "processor/adapters", "processor/engine", ...path],
    packages: "any",
  },
  { folders: ["bridge"], parts: ["domain", "config", "adapters"], packages: "any" },
  { folders: ["live"], parts: ["domain", "config", "adapters"], packages: "any" },
  { folders: ["lambda"], parts: ["domain", "config", "adapters", "."], packages: "any" },
  { folders: ["simulator"], parts: ["domain", "config", "adapters"], packages: "any" },
  // Reaches program code by file path, to bundle it.
  { folders: ["lib"], parts: ["domain", "config"], packages: "any" },
  { folders: ["bin"], parts: ["domain", "config", "adapters", "lib"], packages: "any" },
  // Runs everything; what a program is put together from, it may put together, too.
  {
    folders: ["local"],
    parts: ["domain", "config", "adapters", "processor", "processor/adapters", "simulator", "lambda"],
    packages: "any",
  },
];
