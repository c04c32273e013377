import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import type { Order, Report, Tested } from "./protocol.ts";

export interface WorkerSetup {
  readonly root: string;
  /** Absolute paths. */
  readonly suites: readonly string[];
  /** The file with the instrumented sources. */
  readonly sourcesFile: string;
  readonly seed: number;
}

/** A test that is longer silent than its own limit and this is stuck in a loop that never waits. */
const GRACE_MS = 20_000;
/** Values that a property of a suite tries. A number, not a time: a busy machine kills no fewer mutants. */
const SEARCH_RUNS = "100";
/** All suites load within this. */
const LOAD_MS = 120_000;

/** One process that has loaded the suites. A stuck or broken one is killed; the next order starts another. */
export class WorkerProcess {
  private readonly setup: WorkerSetup;
  private child: ChildProcess | null = null;
  /** Ids of all tests, once loaded. */
  tests: readonly string[] = [];
  /** Mutants in code that runs when a file is loaded. */
  coveredAtLoad: readonly string[] = [];

  constructor(setup: WorkerSetup) {
    this.setup = setup;
  }

  /** Loads the suites, with a mutant that is on from the start or none. False when they can't be loaded. */
  async start(mutant: string | null): Promise<boolean> {
    this.stop();
    const env = { SEARCH_RUNS, ...process.env };
    const child = fork(join(import.meta.dirname, "worker.ts"), [JSON.stringify({ ...this.setup, mutant })], {
      env,
      execArgv: ["--disable-warning=ExperimentalWarning"],
      stdio: ["ignore", "ignore", mutant === null ? "inherit" : "ignore", "ipc"],
    });
    this.child = child;
    const ready = await receive(child, LOAD_MS, (report) => (report.kind === "ready" ? report : undefined));
    if (ready === null) {
      this.stop();
      return false;
    }
    this.tests = ready.tests;
    this.coveredAtLoad = ready.coveredAtLoad;
    return true;
  }

  /** Runs tests. The last one is the one that failed, if one did. A test that hangs has failed, and ends the worker. */
  async run(order: Order): Promise<readonly Tested[]> {
    if (this.child === null && !(await this.start(null))) throw new Error("the suites can't be loaded");
    const child = this.child!;
    const tested: Tested[] = [];
    let running = order.tests[0]!.id;
    const longest = Math.max(...order.tests.map(({ timeoutMs }) => timeoutMs ?? 600_000));
    child.send(order);
    const done = await receive(child, longest + GRACE_MS, (report) => {
      if (report.kind === "test") running = report.id;
      if (report.kind === "tested") tested.push(report.tested);
      return report.kind === "done" ? true : undefined;
    });
    if (done === null)
      tested.push({ id: running, durationMs: 0, failure: "the worker died or hung", timedOut: true, covered: {} });
    if (done === null || tested.some(({ timedOut }) => timedOut)) this.stop();
    return tested;
  }

  stop(): void {
    this.child?.kill("SIGKILL");
    this.child = null;
  }
}

/** Takes messages until `read` gives a value. Null when the process ends, or says nothing for `silenceMs`. */
async function receive<T>(
  child: ChildProcess,
  silenceMs: number,
  read: (report: Report) => T | undefined,
): Promise<T | null> {
  return await new Promise((resolve) => {
    const end = (value: T | null): void => {
      clearTimeout(timer);
      child.off("message", onMessage);
      child.off("exit", onExit);
      resolve(value);
    };
    const onExit = (): void => end(null);
    const timer = setTimeout(onExit, silenceMs);
    const onMessage = (report: Report): void => {
      timer.refresh();
      const value = read(report);
      if (value !== undefined) end(value);
    };
    child.on("message", onMessage);
    child.on("exit", onExit);
  });
}
