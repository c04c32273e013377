import { setTimeout as sleep } from "node:timers/promises";
import { AthenaClient } from "@aws-sdk/client-athena";
import { queryAthena } from "../../adapters/athena.ts";
import { MINUTE, SECOND, type EpochMs, type Milliseconds } from "../../domain/time.ts";
import { lakeDatabaseName, workGroupName } from "../names.ts";
import type { Deployment } from "./deployment.ts";
import { MESSAGES } from "./device.ts";

/** What a row's way to the lake may take beside Firehose's buffer: functions start cold, files are written. */
const WAY_LIMIT_MS: Milliseconds = 5 * MINUTE;
const PAUSE_MS: Milliseconds = 20 * SECOND;
const QUERY_LIMIT_MS: Milliseconds = MINUTE;

/** The rows of a sensor since a time: messages of the log, and windows. One row per id: the exact views. */
export function lakeSql(sensorId: string, sinceMs: EpochMs, nowMs: EpochMs): string {
  const days = [...new Set([sinceMs, nowMs].map((ms) => `'${new Date(ms).toISOString().slice(0, 10)}'`))].join(", ");
  const count = (view: string, column: string): string =>
    `(SELECT count(*) FROM ${view} WHERE dt IN (${days}) AND ${column} = '${sensorId}')`;
  return `SELECT ${count("raw_exact", "key_text")} AS messages, ${count("aggregated_exact", "sensor_id")} AS windows`;
}

/**
 * Waits, as an analyst, until the lake has a sensor's messages and windows.
 *
 * @param publishedMs When its messages were published
 * @throws Error with what is missing when the rows are not there in time
 */
export async function checkLake(
  { config, roles }: Pick<Deployment, "config"> & { readonly roles: Pick<Deployment["roles"], "analyst"> },
  sensorId: string,
  publishedMs: EpochMs,
  { limitMs = config.lake.bufferSeconds * SECOND + WAY_LIMIT_MS, pauseMs = PAUSE_MS } = {},
): Promise<string> {
  const client = new AthenaClient({ region: config.region, credentials: roles.analyst });
  for (;;) {
    const [[messages, windows] = []] = await queryAthena(client, {
      workGroup: workGroupName(config),
      database: lakeDatabaseName(config),
      sql: lakeSql(sensorId, publishedMs, Date.now()),
      limitMs: QUERY_LIMIT_MS,
    });
    const rows = `raw_exact has ${messages} of ${MESSAGES} messages of ${sensorId}`;
    const found = `${rows}, aggregated_exact ${windows} windows`;
    const waitedMs = Date.now() - publishedMs;
    if (Number(messages) >= MESSAGES && Number(windows) > 0) return `${found}, ${waitedMs} ms after the last publish`;
    if (waitedMs + pauseMs > limitMs) throw new Error(`rows are missing within ${limitMs} ms: ${found}`);
    await sleep(pauseMs);
  }
}
