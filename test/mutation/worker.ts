/** Loads the instrumented files and all suites once, then runs tests with one mutant after another. */
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { relative } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import fc from "fast-check";
import { seededRandom } from "../../simulator/synthetic/random.ts";
import type { Order, OrderedTest, Report, Tested } from "./protocol.ts";
import { collect, type Test } from "./suites.ts";

/** The switchboard that the instrumented files share; the names are StrykerJS's. */
interface Switches {
  activeMutant?: string | undefined;
  currentTestId?: string | undefined;
  hitCount?: number | undefined;
  hitLimit?: number | undefined;
  mutantCoverage?: {
    static: Record<string, number>;
    perTest: Record<string, Record<string, number>>;
  };
  /** Ours: whether the files count which mutants a test reaches. */
  counting: boolean;
}

const { root, suites, sourcesFile, mutant, seed } = JSON.parse(process.argv[2]!) as {
  readonly root: string;
  /** Absolute paths. */
  readonly suites: readonly string[];
  readonly sourcesFile: string;
  /** On from the start: for code that runs when a file is loaded. */
  readonly mutant: string | null;
  readonly seed: number;
};
const sources = JSON.parse(readFileSync(sourcesFile, "utf8")) as Record<string, string>;
const switches: Switches = { counting: true, ...(mutant === null ? {} : { activeMutant: mutant }) };
Object.assign(globalThis, { __stryker__: switches });
const realRandom = Math.random;
const globals = new URL("./suites.ts", import.meta.url).href;

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === "@jest/globals" ? { url: globals, shortCircuit: true } : next(specifier, context),
  load: (url, context, next) => {
    const source = url.startsWith("file:") ? sources[fileURLToPath(url)] : undefined;
    if (source === undefined) return next(url, context);
    // Counting is slow, and one run of each test is enough of it.
    const switchable = source.replace("function cover() {", "function cover() { if (!ns.counting) return;");
    return { format: "module-typescript", source: switchable, shortCircuit: true };
  },
});

let fail: ((error: unknown) => void) | null = null;
// What a mutant leaves behind may fail after its test. Jest passes over rejections, too.
process.on("unhandledRejection", () => undefined);
process.on("uncaughtException", (error) => fail?.(error));
process.on("disconnect", () => process.exit(0));

function send(report: Report): void {
  process.send?.(report);
}

async function runTest(test: Test, { hitLimit, timeoutMs = test.timeoutMs }: OrderedTest): Promise<Tested> {
  send({ kind: "test", id: test.id });
  Object.assign(switches, { currentTestId: test.id, hitCount: 0, hitLimit });
  // The same random values for each mutant.
  Math.random = seededRandom(seed);
  const started = performance.now();
  const limit = new AbortController();
  let failure: string | null = null;
  let timedOut = false;
  try {
    await Promise.race([
      test.run(),
      new Promise((_, reject) => (fail = reject)),
      delay(timeoutMs, undefined, { signal: limit.signal }).then(() => {
        timedOut = true;
        throw new Error(`not done after ${timeoutMs} ms`);
      }),
    ]);
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
  }
  fail = null;
  limit.abort();
  Math.random = realRandom;
  switches.currentTestId = undefined;
  const covered = switches.mutantCoverage?.perTest[test.id] ?? {};
  return { id: test.id, durationMs: performance.now() - started, failure, timedOut, covered };
}

async function runOrder(tests: ReadonlyMap<string, Test>, order: Order): Promise<void> {
  switches.activeMutant = order.mutant ?? undefined;
  switches.counting = order.mutant === null && order.all;
  for (const ordered of order.tests) {
    const tested = await runTest(tests.get(ordered.id)!, ordered);
    send({ kind: "tested", tested });
    if (tested.failure !== null && !order.all) break;
  }
  switches.activeMutant = undefined;
  send({ kind: "done" });
}

fc.configureGlobal({ seed });
const tests = new Map<string, Test>();
for (const path of suites) {
  const name = relative(root, path);
  const declared = await collect(name, () => import(pathToFileURL(path).href));
  for (const test of declared) tests.set(test.id, test);
}
process.on("message", (order: Order) => void runOrder(tests, order));
send({ kind: "ready", tests: [...tests.keys()], coveredAtLoad: Object.keys(switches.mutantCoverage?.static ?? {}) });
