import { jest } from "@jest/globals";

// Tests kill and start real servers. One that fails is retried once, and both failures are shown.
jest.retryTimes(1, { logErrorsBeforeRetry: true });
