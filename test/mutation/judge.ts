/** Decides which mutants the suites notice. */
import type { Mutant } from "./instrument.ts";
import type { OrderedTest, Tested } from "./protocol.ts";
import { WorkerProcess, type WorkerSetup } from "./worker-process.ts";

export interface Verdict {
  readonly mutant: Mutant;
  /** The test that failed; null when none did: the mutant survives. */
  readonly killer: string | null;
  /** Whether a test reaches the code at all. */
  readonly covered: boolean;
}

interface Known {
  readonly durationMs: number;
  readonly covered: Readonly<Record<string, number>>;
}

/** Hits of the mutated code, per hit of the code as it is, that are an endless loop. */
const HIT_FACTOR = 100;
/** A mutant may make a test this much slower before it counts as endless; the machine may be busy. */
const SLOWNESS = 10;
const LEAST_TIMEOUT_MS = 10_000;

/** The suites on the code as it is: what each test covers and takes. */
export class Judge {
  private readonly setup: WorkerSetup;
  private readonly worker: WorkerProcess;
  private readonly known = new Map<string, Known>();
  private readonly kills = new Map<string, number>();
  private atLoad: ReadonlySet<string> = new Set();

  constructor(setup: WorkerSetup) {
    this.setup = setup;
    this.worker = new WorkerProcess(setup);
  }

  /** Runs every test once. Throws when one fails. Returns their number. */
  async measure(): Promise<number> {
    if (!(await this.worker.start(null))) throw new Error("the suites can't be loaded with the mutants switched off");
    this.atLoad = new Set(this.worker.coveredAtLoad);
    const tests = this.worker.tests.map((id) => ({ id, hitLimit: Number.MAX_SAFE_INTEGER }));
    const tested = await this.worker.run({ mutant: null, tests, all: true });
    const failed = tested.find(({ failure }) => failure !== null);
    if (failed) throw new Error(`fails without a mutant: ${failed.id}: ${failed.failure}`);
    for (const { id, durationMs, covered } of tested) this.known.set(id, { durationMs, covered });
    return tested.length;
  }

  async judge(mutant: Mutant): Promise<Verdict> {
    const reaching = this.testsFor(mutant);
    const atLoad = this.atLoad.has(mutant.id);
    let killer = reaching.length === 0 ? null : await this.killerOf(mutant, reaching);
    if (killer === null && atLoad) killer = await this.killerFromStart(mutant);
    if (killer !== null) this.kills.set(killer, (this.kills.get(killer) ?? 0) + 1);
    return { mutant, killer, covered: atLoad || reaching.length > 0 };
  }

  stop(): void {
    this.worker.stop();
  }

  /** Tests that run the mutated code; those that are fast, or have killed others, first. */
  private testsFor({ id }: Mutant): readonly OrderedTest[] {
    const reaching = [...this.known].filter(([, { covered }]) => covered[id] !== undefined);
    return this.inOrder(reaching).map(({ id: test, durationMs, covered }) => ({
      id: test,
      hitLimit: HIT_FACTOR * covered[id]! + 10_000,
      timeoutMs: timeoutFor(durationMs),
    }));
  }

  private inOrder(tests: readonly (readonly [string, Known])[]): readonly (Known & { readonly id: string })[] {
    const cost = ([id, { durationMs }]: readonly [string, Known]): number =>
      durationMs / (1 + (this.kills.get(id) ?? 0));
    return tests.toSorted((a, b) => cost(a) - cost(b)).map(([id, known]) => ({ id, ...known }));
  }

  /**
   * A mutant that ran before may have left something behind. So a test that fails must pass without the mutant, or the
   * mutant is judged again in a fresh process.
   */
  private async killerOf(mutant: Mutant, tests: readonly OrderedTest[]): Promise<string | null> {
    const failed = failureOf(await this.worker.run({ mutant: mutant.id, tests, all: false }));
    if (failed === null || failed.timedOut) return failed?.id ?? null;
    const same = tests.filter(({ id }) => id === failed.id);
    if (failureOf(await this.worker.run({ mutant: null, tests: same, all: false })) === null) return failed.id;
    this.worker.stop();
    const again = failureOf(await this.worker.run({ mutant: mutant.id, tests, all: false }));
    this.worker.stop();
    return again?.id ?? null;
  }

  /** For code that runs when its file is loaded: a process with the mutant on from the start runs every test. */
  private async killerFromStart(mutant: Mutant): Promise<string | null> {
    const worker = new WorkerProcess(this.setup);
    try {
      if (!(await worker.start(mutant.id))) return "the suites can't be loaded";
      const tests = this.inOrder([...this.known]).map(({ id, durationMs }) => ({
        id,
        hitLimit: Number.MAX_SAFE_INTEGER,
        timeoutMs: timeoutFor(durationMs),
      }));
      const there = tests.filter(({ id }) => worker.tests.includes(id));
      // The names of tests that are made from the code change with it.
      if (there.length < tests.length) return "tests that are gone";
      return failureOf(await worker.run({ mutant: mutant.id, tests: there, all: false }))?.id ?? null;
    } finally {
      worker.stop();
    }
  }
}

function timeoutFor(durationMs: number): number {
  return Math.max(LEAST_TIMEOUT_MS, SLOWNESS * durationMs);
}

function failureOf(tested: readonly Tested[]): Tested | null {
  return tested.find(({ failure }) => failure !== null) ?? null;
}
