/**
 * `npm run mutate -- <path> …`: changes one expression at a time and runs the pure suites that reach it. A change that
 * no test fails on survives. test/README.md says how to use it.
 */
import { globSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseCommandLine, whole } from "../../adapters/command-line.ts";
import { runCommand } from "../../adapters/run-command.ts";
import { MillraceError } from "../../domain/errors.ts";
import { seededRandom } from "../../simulator/synthetic/random.ts";
import { instrument, type Mutant } from "./instrument.ts";
import { Judge, type Verdict } from "./judge.ts";

const root = join(import.meta.dirname, "..", "..");

/** Suites that run the processor in their own process. */
const SUITES = [
  "test/contracts/{records,statistics}.test.ts",
  "test/processor/{adapters,driver,engine,inference,operators,pipelines,runtime}/**/*.test.ts",
  "test/reference/{order,payloads,semantics,statistics,streams}.test.ts",
];

/** Survivors that were looked at, each with why no test fails on it. */
const KNOWN = join(root, "test", "mutation", "survivors.md");

const USAGE = `usage: npm run mutate -- <file or folder> … [--sample N] [--seed N] [--at-least PERCENT]

Mutates the TypeScript files and runs the pure suites that reach each mutant, up to the first test that fails.

  --sample N          mutants of each path, picked at random (default 150; 0: all of them)
  --seed N            picks the same mutants and the same random values in tests again (default 1)
  --at-least PERCENT  exit code 1 when fewer mutants of a path are killed (default 85)`;

async function main(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseCommandLine(args, {
    usage: USAGE,
    options: { sample: whole(), seed: whole(), "at-least": whole(0, 100) },
    takesPositionals: true,
    check: (_, paths) => (paths.length === 0 ? ["a file or a folder is missing"] : []),
  });
  const { sample = 150, seed = 1, "at-least": least = 85 } = values;
  const paths = positionals.map((path) => path.replace(/\/$/, ""));
  const { mutants, sources } = await instrument(root, paths.flatMap(filesOf));
  const folder = join(root, ".millrace", "mutation");
  mkdirSync(folder, { recursive: true });
  const sourcesFile = join(folder, `sources-${process.pid}.json`);
  writeFileSync(sourcesFile, JSON.stringify(sources));
  const suites = SUITES.flatMap((pattern) => globSync(pattern, { cwd: root })).filter((path) => !path.includes(".it."));
  const judge = new Judge({ root, suites: suites.map((path) => join(root, path)), sourcesFile, seed });
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => {
      judge.stop();
      process.exit(130);
    });
  try {
    console.log(`${await judge.measure()} tests pass with all mutants switched off`);
    for (const path of paths) {
      const there = mutants.filter(({ file }) => file === path || file.startsWith(`${path}/`));
      const picked = pick(there, sample, seed);
      console.log(`${path}: ${picked.length} of ${there.length} mutants, seed ${seed}`);
      const verdicts: Verdict[] = [];
      for (const mutant of picked) {
        const verdict = await judge.judge(mutant);
        verdicts.push(verdict);
        if (verdict.killer === null) console.log(`  ${verdicts.length}. survives: ${describe(verdict)}`);
        if (verdicts.length % 10 === 0) console.log(`  ${killedOf(verdicts)} of ${verdicts.length} killed so far`);
      }
      const killed = killedOf(verdicts);
      const percent = (100 * killed) / Math.max(1, verdicts.length);
      console.log(`${path}: ${killed} of ${verdicts.length} killed (${percent.toFixed(1)} %)`);
      if (percent < least) process.exitCode = 1;
    }
  } finally {
    judge.stop();
  }
}

function killedOf(verdicts: readonly Verdict[]): number {
  return verdicts.filter(({ killer }) => killer !== null).length;
}

/** Absolute paths of the TypeScript files of a file or a folder, below the root of the repository. */
function filesOf(path: string): readonly string[] {
  const absolute = join(root, path);
  const stat = statSync(absolute, { throwIfNoEntry: false });
  const found = stat?.isDirectory() ? globSync("**/*.ts", { cwd: absolute }).map((name) => join(absolute, name)) : [];
  const files = stat?.isFile() ? [absolute] : found.filter((name) => !name.endsWith(".d.ts"));
  if (files.length > 0) return files.toSorted();
  throw new MillraceError("arguments-invalid", `${path} is no TypeScript file and no folder with one\n${USAGE}`);
}

/** A sample that depends on the seed and the mutants alone, in the order of the files. */
function pick(mutants: readonly Mutant[], size: number, seed: number): readonly Mutant[] {
  if (size === 0 || mutants.length <= size) return mutants;
  const random = seededRandom("mutants", seed);
  const drawn = mutants.map((mutant) => ({ mutant, place: random() })).toSorted((a, b) => a.place - b.place);
  const chosen = new Set(drawn.slice(0, size).map(({ mutant }) => mutant));
  return mutants.filter((mutant) => chosen.has(mutant));
}

function describe({ mutant, covered }: Verdict): string {
  const { file, line, original, replacement } = mutant;
  const change = `\`${shortened(original)}\` → \`${shortened(replacement)}\``;
  const known = readFileSync(KNOWN, "utf8").includes(`${file} | ${change}`) ? " (known)" : "";
  return `${file}:${line} | ${change}${covered ? "" : " (no test runs it)"}${known}`;
}

function shortened(code: string): string {
  return code.length > 100 ? `${code.slice(0, 100)} …` : code;
}

await runCommand(main);
