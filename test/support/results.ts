export const testProjects = ["pure", "servers"] as const;
export type Project = (typeof testProjects)[number];

/** `npm test -- [pure|servers] [arguments of Jest]`: a leading project name selects that project alone. */
export function parseTestArguments(args: readonly string[]): {
  projects: readonly Project[];
  jestArguments: readonly string[];
} {
  const project = testProjects.find((name) => name === args[0]);
  return project
    ? { projects: [project], jestArguments: args.slice(1) }
    : { projects: testProjects, jestArguments: args };
}

export interface Counts {
  readonly passed: number;
  readonly failed: number;
}

/** The fields of Jest's JSON results that are counted. */
export interface JestResults {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  /** Suites that could not run, such as one that does not compile. Each counts as a failure. */
  readonly numRuntimeErrorTestSuites: number;
}

export function countsOf(results: JestResults): Counts {
  return { passed: results.numPassedTests, failed: results.numFailedTests + results.numRuntimeErrorTestSuites };
}

export function sumCounts(counts: readonly Counts[]): Counts {
  return counts.reduce((sum, { passed, failed }) => ({ passed: sum.passed + passed, failed: sum.failed + failed }), {
    passed: 0,
    failed: 0,
  });
}
