import { expect, test } from "@jest/globals";
import { countsOf, parseTestArguments, sumCounts } from "./results.ts";

test("a leading project name selects that project, everything else goes to Jest", () => {
  expect(parseTestArguments([])).toEqual({ projects: ["pure", "servers"], jestArguments: [] });
  expect(parseTestArguments(["pure", "test/domain"])).toEqual({ projects: ["pure"], jestArguments: ["test/domain"] });
  expect(parseTestArguments(["test/local", "-t", "pure"])).toEqual({
    projects: ["pure", "servers"],
    jestArguments: ["test/local", "-t", "pure"],
  });
});

test("a suite that could not be run counts as a failure", () => {
  const results = { numPassedTests: 4, numFailedTests: 1, numRuntimeErrorTestSuites: 2, numPendingTests: 1 };
  expect(sumCounts([countsOf(results), { passed: 1, failed: 0 }])).toEqual({ passed: 5, failed: 3 });
});
