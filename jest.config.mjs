/** Tests are ES modules in TypeScript; @swc/jest strips the types. */
const shared = {
  extensionsToTreatAsEsm: [".ts"],
  transform: {
    "^.+\\.ts$": [
      "@swc/jest",
      { jsc: { parser: { syntax: "typescript" }, target: "es2023" }, module: { type: "es6" } },
    ],
  },
  modulePathIgnorePatterns: ["<rootDir>/.millrace", "<rootDir>/cdk.out"],
  testEnvironment: "node",
  // Jest's default is the temporary folder, which goes with a run.
  cacheDirectory: "<rootDir>/.millrace/jest-cache",
  setupFilesAfterEnv: ["<rootDir>/test/support/patience.mjs"],
};

/** Suites that start all their servers themselves, for some minutes in all. Two of them run at a time. */
const platforms = [
  "bridge",
  "dashboard",
  "e2e",
  "examples",
  "lambda/schemathesis",
  "local/start",
  "market",
  "processor/commands/backfill",
  "restore-drill",
  "runbooks",
];

const retried = { setupFilesAfterEnv: [...shared.setupFilesAfterEnv, "<rootDir>/test/support/retry.mjs"] };

export default {
  projects: [
    {
      ...shared,
      displayName: "pure",
      testMatch: ["<rootDir>/test/**/*.test.ts"],
      testPathIgnorePatterns: ["\\.it\\.test\\.ts$"],
    },
    {
      ...shared,
      ...retried,
      displayName: "servers",
      testMatch: ["<rootDir>/test/**/*.it.test.ts"],
      testPathIgnorePatterns: platforms.map((path) => `<rootDir>/test/${path}`),
      globalSetup: "<rootDir>/test/support/global-setup.mjs",
      globalTeardown: "<rootDir>/test/support/global-teardown.mjs",
    },
    {
      ...shared,
      ...retried,
      displayName: "platforms",
      testRegex: platforms.map((path) => `/test/${path}[^.]*\\.it\\.test\\.ts$`),
    },
  ],
};
