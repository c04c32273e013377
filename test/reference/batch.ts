import type { LateRecord, SessionRecord, WindowRecord } from "../../domain/records.ts";
import type { Semantics } from "../../domain/semantics.ts";
import { topics } from "../../domain/topics.ts";
import type { LogRecord, Message, Output } from "./log.ts";
import { readMessage } from "./message.ts";
import { groupByGap } from "./sessions.ts";

/** Counts by a name that says what is counted. They do not depend on how the stream was cut. */
export type Totals = Map<string, number>;

/**
 * The messages of a whole log by partition and sensor, each message once, without any notion of time passing. Only for
 * settings under which no identity is forgotten (no small limits, no expiry).
 */
function messagesOf(log: readonly LogRecord[], futureGuardMs: number): Map<string, Message[]> {
  const seen = new Set<string>();
  const bySensor = new Map<string, Message[]>();
  for (const record of log) {
    const message = record.key === null ? "control" : readMessage(record);
    if (typeof message === "string" || message.t.at(-1)! > record.timestamp + futureGuardMs) continue;
    const identity = JSON.stringify([record.partition, message.sensorId, message.boot, message.seq]);
    if (seen.has(identity)) continue;
    seen.add(identity);
    const sensor = `${record.partition}/${message.sensorId}`;
    bySensor.set(sensor, [...(bySensor.get(sensor) ?? []), message]);
  }
  return bySensor;
}

/** Readings per window of every sensor. */
export function batchWindows(log: readonly LogRecord[], { windowMs, slideMs, futureGuardMs }: Semantics): Totals {
  const totals: Totals = new Map();
  for (const [sensor, messages] of messagesOf(log, futureGuardMs)) {
    for (const t of messages.flatMap((message) => message.t)) {
      const last = Math.floor(t / slideMs) + 1;
      for (let k = last; k * slideMs + windowMs > t; k -= 1)
        if (k * slideMs <= t) add(totals, `${sensor} ${k * slideMs}`, 1);
    }
  }
  return totals;
}

/** Samples per session of every sensor: all its times in order, split at gaps. */
export function batchSessions(log: readonly LogRecord[], { sessionGapMs, futureGuardMs }: Semantics): Totals {
  const totals: Totals = new Map();
  for (const [sensor, messages] of messagesOf(log, futureGuardMs)) {
    const times = messages.flatMap((message) => message.t).sort((a, b) => a - b);
    for (const group of groupByGap(times, sessionGapMs))
      add(totals, `${sensor} ${group[0]}..${group.at(-1)}`, group.length);
  }
  return totals;
}

/** Messages of every sensor. */
export function batchMessages(log: readonly LogRecord[], { futureGuardMs }: Semantics): Totals {
  return new Map([...messagesOf(log, futureGuardMs)].map(([sensor, messages]) => [sensor, messages.length]));
}

const partitionOf = (output: Output): string => (output.value as { id: string }).id.split("/")[1]!;

/** Readings per window by the outputs: the count of its last revision, and the readings that were late for it. */
export function reportedWindows(outputs: readonly Output[]): Totals {
  const last: Totals = new Map();
  const late: Totals = new Map();
  for (const output of outputs) {
    if (output.topic !== topics.aggregated.name && output.topic !== topics.late.name) continue;
    const { sensorId, window, count, operator, t } = output.value as WindowRecord & LateRecord;
    const name = `${partitionOf(output)}/${sensorId} ${window.start}`;
    if (output.topic === topics.aggregated.name) last.set(name, count);
    else if (operator === "window") add(late, name, t.length);
  }
  for (const [name, count] of late) add(last, name, count);
  return last;
}

/** Samples per session by the outputs: the last `ended` of each id that no other session supersedes. */
export function reportedSessions(outputs: readonly Output[]): Totals {
  const last = new Map<string, { name: string; samples: number }>();
  const superseded = new Set<string>();
  for (const output of outputs) {
    if (output.topic !== topics.sessions.name) continue;
    const record = output.value as SessionRecord;
    const partition = partitionOf(output);
    for (const id of record.supersedes) superseded.add(`${partition}/${id}`);
    if (record.type === "ended")
      last.set(`${partition}/${record.sessionId}`, {
        name: `${partition}/${record.sensorId} ${record.start}..${record.end}`,
        samples: record.samples,
      });
  }
  return new Map([...last].filter(([id]) => !superseded.has(id)).map(([, { name, samples }]) => [name, samples]));
}

/** Messages per sensor by the outputs: transformed, or too late for it. */
export function reportedMessages(outputs: readonly Output[]): Totals {
  const totals: Totals = new Map();
  for (const output of outputs) {
    const { sensorId, operator } = (output.value ?? {}) as LateRecord;
    if (output.topic === topics.transformed.name || operator === "inference")
      add(totals, `${partitionOf(output)}/${sensorId}`, 1);
  }
  return totals;
}

function add(totals: Totals, name: string, count: number): void {
  totals.set(name, (totals.get(name) ?? 0) + count);
}
