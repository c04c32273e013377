import { jest } from "@jest/globals";

// A limit that tells "hangs" from "slow on a busy machine with two cores".
jest.setTimeout(60_000);
// Real servers that are killed and started on a shared machine: what fails is tried once more, and both failures are shown.
jest.retryTimes(1, { logErrorsBeforeRetry: true });
