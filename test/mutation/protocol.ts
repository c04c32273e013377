/** What the process that plans mutation testing and the workers that run the suites tell each other. */

/** Runs tests in order, up to the first that fails, with one mutant on. */
export interface Order {
  /** The mutant; null for the code as it is. */
  readonly mutant: string | null;
  readonly tests: readonly OrderedTest[];
  /** Whether to continue behind a test that fails. */
  readonly all: boolean;
}

export interface OrderedTest {
  readonly id: string;
  /** How often the mutated code may run in this test. More is taken for an endless loop. */
  readonly hitLimit: number;
  /** @default the suite's own limit */
  readonly timeoutMs?: number;
}

export type Report =
  | { readonly kind: "ready"; readonly tests: readonly string[]; readonly coveredAtLoad: readonly string[] }
  | { readonly kind: "test"; readonly id: string }
  | { readonly kind: "tested"; readonly tested: Tested }
  | { readonly kind: "done" };

export interface Tested {
  readonly id: string;
  readonly durationMs: number;
  /** Why it failed; null when it passed. */
  readonly failure: string | null;
  /** Whether it did not end: the worker may still be busy with it. */
  readonly timedOut: boolean;
  /** How often the test ran the code of each mutant. Only without a mutant. */
  readonly covered: Readonly<Record<string, number>>;
}
