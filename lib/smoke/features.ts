import { setTimeout as sleep } from "node:timers/promises";
import { OFFLINE_LIMIT_MS } from "../../domain/features.ts";
import { featureGroupName } from "../../domain/names.ts";
import { SECOND, type EpochMs } from "../../domain/time.ts";
import { type Functions, invoke } from "./invoke.ts";

const PAUSE_MS = 30 * SECOND;

/** What `check-features` answers. */
interface CheckedFeatures {
  readonly groups: readonly {
    readonly group: string;
    readonly found: readonly string[];
    readonly isOffline: boolean;
  }[];
  readonly text: string;
}

const check = (functions: Functions, sensorId: string, reads: number): Promise<CheckedFeatures> =>
  invoke(functions, "check-features", { identifiers: { sensorWindows: [sensorId] }, reads });

/** Lets the function that checks the feature store look for the sensor's features online, and time reads. */
export async function checkFeatures(functions: Functions, sensorId: string): Promise<string> {
  return (await check(functions, sensorId, 200)).text;
}

/**
 * Lets that function look for the sensor's features until the offline store has them.
 *
 * @param publishedMs When the sensor's readings were published
 * @throws Error with what was found when the offline store has them not in time
 */
export async function checkOfflineFeatures(
  functions: Functions,
  sensorId: string,
  publishedMs: EpochMs,
  { limitMs = OFFLINE_LIMIT_MS, pauseMs = PAUSE_MS } = {},
): Promise<string> {
  const name = featureGroupName(functions.config.name, "sensorWindows");
  for (;;) {
    const { groups, text } = await check(functions, sensorId, 1);
    const waitedMs = Date.now() - publishedMs;
    const group = groups.find((one) => one.group === name);
    if (group?.isOffline === true) return `${name} has ${sensorId} ${waitedMs} ms after the last publish`;
    if (waitedMs + pauseMs > limitMs)
      throw new Error(`features are missing offline within ${limitMs} ms: ${group?.found.join("; ") ?? text}`);
    await sleep(pauseMs);
  }
}
