import { randomUUID } from "node:crypto";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import type { Runtime } from "../engine/ports.ts";

/** The real clock (monotonic), timers and randomness. */
export const systemRuntime: Runtime = {
  now: () => performance.now(),
  sleep: (ms) => sleep(ms),
  token: () => randomUUID(),
};
