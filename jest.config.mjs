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
};

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
      displayName: "servers",
      testMatch: ["<rootDir>/test/**/*.it.test.ts"],
      globalSetup: "<rootDir>/test/support/global-setup.mjs",
      globalTeardown: "<rootDir>/test/support/global-teardown.mjs",
      setupFilesAfterEnv: ["<rootDir>/test/support/patience.mjs"],
    },
  ],
};
