// Fills the document store through the functions that write it, says so to its parent, and then writes what the sensors
// would send next, until it is killed. Arguments: sensors, hours.
import { setTimeout as sleep } from "node:timers/promises";
import { eventSourceMappings } from "../domain/event-source-mappings.ts";
import { HOUR, SECOND, type EpochMs } from "../domain/time.ts";
import { topics } from "../domain/topics.ts";
import { mskEvent } from "../local/event-source/event.ts";
import { loadFunction } from "../local/lambda/invoke.ts";
import { sessionsOf, storeSensor, windowsOf } from "./store-records.ts";

/** Records of one invocation while it fills: about a MB, and a second of work. */
const FILL_RECORDS = 1_000;

// Without its parent nobody would end it.
process.once("disconnect", () => process.exit());

const [sensors = 0, hours = 0] = process.argv.slice(2).map(Number);
const sensorIds = Array.from({ length: sensors }, (_, n) => storeSensor(n));
const functions = {
  "store-windows": { invoke: await loadFunction("store-windows"), topic: topics.aggregated.name },
  "store-sessions": { invoke: await loadFunction("store-sessions"), topic: topics.sessions.name },
} as const;
let offset = 0;

/** Writes records, in events of at most `FILL_RECORDS`. Their timestamp is the event time that `timeOf` tells. */
async function write<T>(
  name: keyof typeof functions,
  values: readonly T[],
  timeOf: (value: T) => EpochMs,
): Promise<void> {
  const { invoke, topic } = functions[name];
  for (let at = 0; at < values.length; at += FILL_RECORDS) {
    const records = values.slice(at, at + FILL_RECORDS).map((value) => ({
      topic,
      partition: 0,
      offset: offset++,
      timestampMs: timeOf(value),
      key: null,
      value: Buffer.from(JSON.stringify(value)),
      headers: [],
    }));
    const answer = (await invoke(mskEvent(records, "", "CREATE_TIME"))) as { batchItemFailures: readonly unknown[] };
    if (answer.batchItemFailures.length > 0) throw new Error(`${name} refused records`);
  }
}

async function writeTime(from: EpochMs, to: EpochMs): Promise<void> {
  for (const sensorId of sensorIds)
    await write("store-windows", windowsOf(sensorId, from, to), ({ window }) => window.end);
  await write(
    "store-sessions",
    sensorIds.flatMap((sensorId) => sessionsOf(sensorId, from, to)),
    (session) => (session.type === "ended" ? session.end : session.start),
  );
}

const windowMs = eventSourceMappings.find(({ functionName }) => functionName === "store-windows")!.batchingWindowMs;
// Whole seconds, so that each time has the windows of all its seconds.
const now = (): EpochMs => Math.floor(Date.now() / SECOND) * SECOND;
let written = now() - hours * HOUR;
for (let to = written; now() - written > windowMs; written = to) {
  to = Math.min(written + HOUR, now());
  await writeTime(written, to);
}
process.send?.("filled");
// One event for each gathering of the mapping, as the event source has it.
for (;;) {
  await sleep(windowMs);
  const to = now();
  if (to <= written) continue;
  const windows = sensorIds.flatMap((sensorId) => windowsOf(sensorId, written, to));
  await write("store-windows", windows, ({ window }) => window.end);
  const sessions = sensorIds.flatMap((sensorId) => sessionsOf(sensorId, written, to));
  if (sessions.length > 0) await write("store-sessions", sessions, ({ start }) => start);
  written = to;
}
