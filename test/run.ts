/**
 * `npm test`: the suites that need servers, which are started once for all of them, then those that start a whole
 * platform of their own. Both wait for most of their time, so the pure suites run beside them, on what CPU they leave.
 */
import "../processor/adapters/no-telemetry.ts";
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { constants, getPriority, setPriority, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import {
  countsOf,
  parseTestArguments,
  sumCounts,
  type Counts,
  type JestResults,
  type Project,
} from "./support/results.ts";
import { serversGiven, startSharedServers } from "./support/servers.ts";

const root = join(import.meta.dirname, "..");
/** Time that Jest has to end after its results. It does not end while something that a suite started is open. */
const EXIT_LIMIT_MS = 30_000;
const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => interrupted.abort());

const { projects, jestArguments } = parseTestArguments(process.argv.slice(2));
mkdirSync(join(root, ".millrace"), { recursive: true });
const folder = mkdtempSync(join(root, ".millrace", "jest-"));
// Everything temporary goes with the run: Jest ends its workers before they could remove theirs. Other users may enter,
// such as those of containers.
const temporary = mkdtempSync(join(tmpdir(), "millrace-test-"));
chmodSync(temporary, 0o755);
process.env.TMPDIR = temporary;
try {
  const { passed, failed } = sumCounts((await Promise.all(projects.map(runProject))).flat());
  if (interrupted.signal.aborted) console.log("interrupted");
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = interrupted.signal.aborted ? 130 : failed > 0 ? 1 : 0;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  console.log("0 passed, 1 failed");
  process.exitCode = 1;
} finally {
  for (const each of [folder, temporary]) rmSync(each, { recursive: true, force: true });
}

/** A run of Jest: one of its projects, with how its suites run. */
interface JestRun {
  readonly name: string;
  readonly workers: readonly string[];
  /** Whether the suites share servers, which are started for them. */
  readonly sharesServers: boolean;
  /** Added to the process's niceness: one with 10 gets a tenth of what one with 0 gets of a busy core. */
  readonly niceness: number;
}

async function runProject(project: Project): Promise<Counts[]> {
  const counts: Counts[] = [];
  for (const run of jestRuns(project)) if (!interrupted.signal.aborted) counts.push(await runJest(run));
  return counts;
}

/** Suites that share servers run one after the other. */
function jestRuns(project: Project): readonly JestRun[] {
  if (project === "pure")
    return [
      { name: "pure", workers: ["--maxWorkers=2"], sharesServers: false, niceness: projects.length > 1 ? 10 : 0 },
    ];
  return [
    { name: "servers", workers: ["--runInBand"], sharesServers: true, niceness: 0 },
    { name: "platforms", workers: ["--maxWorkers=2"], sharesServers: false, niceness: 0 },
  ];
}

async function runJest(run: JestRun): Promise<Counts> {
  if (!hasSuites(run)) return { passed: 0, failed: 0 };
  const needsServers = run.sharesServers && !serversGiven();
  const servers = needsServers ? await startSharedServers((message) => console.log(`servers: ${message}`)) : undefined;
  try {
    return await runSuites(run);
  } finally {
    await servers?.stop();
  }
}

function jestCommand({ name, workers }: JestRun): string[] {
  const jest = join(root, "node_modules", "jest", "bin", "jest.js");
  return [
    "--experimental-vm-modules",
    "--disable-warning=ExperimentalWarning",
    jest,
    "--selectProjects",
    name,
    "--passWithNoTests",
    ...workers,
    ...jestArguments,
  ];
}

function hasSuites(run: JestRun): boolean {
  return spawnSync(process.execPath, [...jestCommand(run), "--listTests"], {
    cwd: root,
    encoding: "utf8",
  }).stdout.includes(".test.ts");
}

async function runSuites(run: JestRun): Promise<Counts> {
  const results = join(folder, `${run.name}.json`);
  const jest = spawn(process.execPath, [...jestCommand(run), "--json", `--outputFile=${results}`], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (jest.pid !== undefined && run.niceness > 0)
    setPriority(jest.pid, Math.min(getPriority() + run.niceness, constants.priority.PRIORITY_LOW));
  const stop = (): void => void jest.kill("SIGTERM");
  interrupted.signal.addEventListener("abort", stop);
  const exited = new Promise<number | null>((resolve) => jest.once("close", resolve));
  const hung = await Promise.race([exited.then(() => false), untilHung(results)]);
  if (hung) {
    console.error(
      `Jest's ${run.name} suites are done, but ${EXIT_LIMIT_MS / 1_000} s later something in them is still open ` +
        "(--detectOpenHandles shows what)",
    );
    jest.kill("SIGKILL");
  }
  const code = await exited;
  interrupted.signal.removeEventListener("abort", stop);
  return readCounts(results, hung || code !== 0);
}

/** Resolves to true when Jest has written its results and the time to end has passed. */
async function untilHung(results: string): Promise<true> {
  while (!existsSync(results)) await delay(500, undefined, { ref: false });
  return await delay(EXIT_LIMIT_MS, true as const, { ref: false });
}

function readCounts(file: string, expectFailure: boolean): Counts {
  try {
    const counts = countsOf(JSON.parse(readFileSync(file, "utf8")) as JestResults);
    return expectFailure && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
  } catch {
    return { passed: 0, failed: 1 };
  }
}
