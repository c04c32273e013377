import { jest } from "@jest/globals";

// Longer than any test takes on a busy machine with two cores.
jest.setTimeout(60_000);
// Tests kill and start real servers. One that fails is retried once, and both failures are shown.
jest.retryTimes(1, { logErrorsBeforeRetry: true });
