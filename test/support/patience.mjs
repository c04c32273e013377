import { jest } from "@jest/globals";

// A limit that tells "hangs" from "slow on a busy machine with two cores".
jest.setTimeout(60_000);
