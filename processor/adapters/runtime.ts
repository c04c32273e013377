import { randomUUID } from "node:crypto";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { deflate, inflate } from "node:zlib";
import type { Runtime } from "../engine/ports.ts";

const deflateAsync = promisify(deflate);
const inflateAsync = promisify(inflate);
/** Snapshots are mostly numbers: higher levels cost much and gain little. */
const LEVEL = 1;

/** The real clock (monotonic), timers and randomness. */
export const systemRuntime: Runtime = {
  now: () => performance.now(),
  sleep: (ms) => sleep(ms),
  token: () => randomUUID(),
  deflate: (bytes) => deflateAsync(bytes, { level: LEVEL }),
  inflate: (bytes) => inflateAsync(bytes),
};
