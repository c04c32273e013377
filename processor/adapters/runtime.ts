import { randomUUID } from "node:crypto";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { deflate, inflate } from "node:zlib";
import type { Runtime } from "../engine/ports.ts";

const deflateAsync = promisify(deflate);
const inflateAsync = promisify(inflate);
/** Snapshots are mostly numbers. Higher levels cost much time and save little space. */
const LEVEL = 1;

/** The runtime of a real process: a monotonic clock, Node's timers, random UUIDs, zlib on Node's thread pool. */
export const systemRuntime: Runtime = {
  now: () => performance.now(),
  sleep: (ms) => sleep(ms),
  token: () => randomUUID(),
  deflate: (bytes) => deflateAsync(bytes, { level: LEVEL }),
  inflate: (bytes) => inflateAsync(bytes),
};
