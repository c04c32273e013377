import type { Cluster } from "kafkajs";
import { partitionBounds } from "../../../adapters/kafka-cluster.ts";
import { fetchRecords } from "../../../adapters/kafka-records.ts";
import { partitionsOf } from "../../../adapters/read-partition.ts";
import type { LogRecord } from "../../../adapters/record-batches.ts";
import { MillraceError } from "../../../domain/errors.ts";
import { MODEL_HEADER } from "../../../domain/models.ts";
import { pipelines } from "../../../domain/pipelines.ts";
import { readReference, referenceHeaders } from "../../../domain/reference.ts";
import { controlTypes, headers as headerNames, topics } from "../../../domain/topics.ts";
import { failureOf } from "../../adapters/letter-failures.ts";
import type { Failure } from "../../runtime/machine.ts";
import { headersField, inOneLine, keyFields, valueField } from "../replay/lines.ts";

export interface DumpRange {
  /** One partition. @default all of them */
  readonly partition: number | undefined;
  /** First offset, inclusive. */
  readonly from: number;
  /** Last offset, exclusive. */
  readonly to: number;
}

/**
 * Reads a topic's committed records, partition after partition in offset order, up to the end that each has when it
 * starts. Hands over lines of NDJSON that `replay` reads.
 *
 * What an input's records alone do not say stands in the lines, so that a replay does what the first run did: the
 * control records before `from` that are in force there come first, and a record whose step failed says so.
 *
 * @param log The log that the topic has, see `logName`: dead letters name it.
 * @throws MillraceError `arguments-invalid` for a topic or a partition that is not there
 */
export async function dumpTopic(
  cluster: Cluster,
  topic: string,
  log: string,
  { partition: only, from, to }: DumpRange,
  write: (lines: string) => Promise<void>,
): Promise<void> {
  const partitions = await partitionsOf(cluster, topic);
  if (only !== undefined && !partitions.includes(only))
    throw new MillraceError("arguments-invalid", `${topic} has no partition ${only}; it has ${partitions.length}`);
  const wanted = partitions.filter((partition) => only === undefined || partition === only);
  const bounds = await Promise.all(wanted.map((partition) => partitionBounds(cluster, topic, partition)));
  for (const [i, { earliest, latest }] of bounds.entries()) {
    const end = Math.min(latest, to);
    const partition = wanted[i]!;
    const failures = isInput(topic) ? await failuresOf(cluster, partition, log) : new Map<number, Failure[]>();
    if (isInput(topic) && from > earliest) {
      const controls = await controlsInForce(cluster, topic, partition, { earliest, from: Math.min(from, latest) });
      await write(controls.map((record) => inputLine(record, failures.get(record.offset))).join(""));
    }
    for (let offset = Math.max(earliest, from); offset < end;) {
      const { records, nextOffset } = await fetchRecords(cluster, topic, partition, offset);
      const inRange = records.filter((record) => record.offset < end);
      await write(inRange.map((record) => inputLine(record, failures.get(record.offset))).join(""));
      offset = nextOffset;
    }
  }
}

const inputs = new Set<string>(Object.values(pipelines).map(({ input }) => topics[input].name));
const isInput = (topic: string): boolean => inputs.has(topic);

/** Failures of a partition's steps, by offset: from the dead letters, which have the partition of their source. */
async function failuresOf(cluster: Cluster, partition: number, log: string): Promise<Map<number, Failure[]>> {
  const failures = new Map<number, Failure[]>();
  await cluster.addTargetTopic(topics.deadLetter.name);
  const { earliest, latest } = await partitionBounds(cluster, topics.deadLetter.name, partition);
  for (let offset = earliest; offset < latest;) {
    const { records, nextOffset } = await fetchRecords(cluster, topics.deadLetter.name, partition, offset);
    for (const letter of records) {
      const failure = failureOf(letter, log);
      if (failure) failures.set(failure.offset, [...(failures.get(failure.offset) ?? []), failure]);
    }
    offset = nextOffset;
  }
  return failures;
}

/**
 * The control records in [earliest, from) that are in force at `from`: the last `settings` record, the `model` records
 * from the last one on that assigned the live model, or none, and the parts of the last complete version of reference
 * data, with those of a version that was begun behind it.
 */
export async function controlsInForce(
  cluster: Cluster,
  topic: string,
  partition: number,
  { earliest, from }: { readonly earliest: number; readonly from: number },
): Promise<LogRecord[]> {
  let settings: LogRecord | null = null;
  let models: LogRecord[] = [];
  let parts: LogRecord[] = [];
  for (let offset = earliest; offset < from;) {
    const { records, nextOffset } = await fetchRecords(cluster, topic, partition, offset);
    for (const record of records as LogRecord[]) {
      if (record.key !== null || record.value !== null || record.offset >= from) continue;
      const { [headerNames.type]: type, [MODEL_HEADER]: model } = record.headers;
      if (type === controlTypes.settings) settings = record;
      else if (type === controlTypes.model) models = [...(replacesAll(model) ? [] : models), record];
      else if (type === controlTypes.reference) parts = partsInForce([...parts, record]);
    }
    offset = nextOffset;
  }
  return [...(settings ? [settings] : []), ...models, ...parts].sort((a, b) => a.offset - b.offset);
}

/** Of parts of reference data: those of the last version that holds, and those behind it. */
function partsInForce(parts: readonly LogRecord[]): LogRecord[] {
  const { [referenceHeaders.part]: part, [referenceHeaders.parts]: count } = parts.at(-1)!.headers;
  if (Number(part) + 1 !== Number(count)) return [...parts];
  const version = parts.slice(-Number(count));
  const read = readReference(version.map(({ headers }) => headers[referenceHeaders.text] ?? "").join(""));
  return "data" in read ? version : parts.slice(0, -Number(count));
}

/** Whether a `model` record takes the place of all before it. */
function replacesAll(header: string | undefined): boolean {
  return /"stage":"(live|none)"/.test(header ?? "");
}

/** What a line holds of a record. */
export type DumpedRecord = Pick<LogRecord, "key" | "timestamp" | "value" | "partition" | "offset" | "recordHeaders">;

/** A record as a line: `{"key","timestamp","value"|"valueBase64","partition","offset","headers"}`, and `failed`. */
export function inputLine(
  { key, timestamp, value, partition, offset, recordHeaders }: DumpedRecord,
  failures: readonly Failure[] = [],
): string {
  const keyPart = inOneLine(JSON.stringify(keyFields(key)).slice(1, -1));
  const position = `"partition":${partition},"offset":${offset}`;
  const headersPart = inOneLine(headersField(recordHeaders));
  const failed = failures.map(({ key: failedKey, message }) => ({ key: failedKey, message }));
  const failedPart = failed.length === 0 ? "" : `,"failed":${inOneLine(JSON.stringify(failed))}`;
  return `{${keyPart},"timestamp":${timestamp},${valueField(value)},${position},${headersPart}${failedPart}}\n`;
}
