import { jest } from "@jest/globals";

// Longer than any test takes on a busy machine with two cores.
jest.setTimeout(60_000);
