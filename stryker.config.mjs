// Mutation testing of the processor's pure parts: `npm run mutate -- <path>`. test/README.md says how to use it.

// Property tests take the same values for every mutant, and search for one second each.
process.env["SEED"] ??= "1";
process.env["SEARCH_SECONDS"] ??= "1";

/** @type {import("@stryker-mutator/api/core").PartialStrykerOptions} */
export default {
  mutate: ["processor/{engine,operators,pipelines,runtime}/**/*.ts"],
  testRunner: "jest",
  testRunnerNodeArgs: ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning"],
  jest: { projectType: "custom", configFile: "test/support/mutation.jest.mjs" },
  coverageAnalysis: "perTest",
  concurrency: 2,
  reporters: ["clear-text", "progress-append-only", "html"],
  htmlReporter: { fileName: ".millrace/mutation/report.html" },
  tempDirName: ".millrace/mutation/sandbox",
  // Without tsconfig.json in the sandbox, Stryker does not look for the JavaScript API that TypeScript 7 does not have.
  ignorePatterns: [".millrace", "cdk.out", "**/target", "**/tsconfig.json"],
  allowEmpty: false,
};
