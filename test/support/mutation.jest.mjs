import jestConfig from "../../jest.config.mjs";

const [pure] = jestConfig.projects;

/** Jest under Stryker: the pure suites that run the processor's core in Jest's own process. */
export default {
  ...pure,
  rootDir: "../..",
  testMatch: ["<rootDir>/test/{contracts,processor,reference}/**/*.test.ts"],
  testPathIgnorePatterns: [
    ...pure.testPathIgnorePatterns,
    // They compare pages with the code, or start the replay program.
    "/documented\\.test\\.ts$",
    "/links\\.test\\.ts$",
    "/replay/main\\.test\\.ts$",
    "/reference/replay\\.test\\.ts$",
    // They need an environment of their own, which Stryker can't instrument.
    "/processor/inference/",
    "/processor/commands/model/",
  ],
};
