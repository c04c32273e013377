import type { Cluster } from "kafkajs";
import { fetchRecords } from "../../../adapters/kafka-records.ts";
import { committedRecords, offsetsBetween, partitionsOf } from "../../../adapters/read-partition.ts";
import type { LogRecord } from "../../../adapters/record-batches.ts";
import { readLetter } from "../../../domain/dead-letters.ts";
import { pipelines, type PipelineName } from "../../../domain/pipelines.ts";
import { readRecordId } from "../../../domain/records.ts";
import { MINUTE, type EpochMs } from "../../../domain/time.ts";
import { topics, type TopicKey } from "../../../domain/topics.ts";
import { idOf, isLasting, relationOf, type Output } from "./outputs.ts";
import type { Arrival } from "./story.ts";
import type { Subject } from "./subject.ts";

/** How much earlier than its input an output may be by its own timestamp: two machines' clocks. */
const CLOCKS = MINUTE;
/** Bytes of one topic that are read for an arrival. */
const MAX_BYTES = 64 * 1024 * 1024;

/** The input partition of an arrival, and which of its records may have caused outputs that are looked for. */
export interface Source {
  /** `<log>/<partition>`. */
  readonly log: string;
  readonly partition: number;
  readonly offset: number;
  readonly appendedAt: EpochMs;
  /** Offset of the first input record behind those minutes after the arrival. */
  readonly until: number;
}

export interface FoundOutputs {
  readonly outputs: readonly Output[];
  /** Topics that were not read to the end of those minutes, because they have too much of it. */
  readonly cut: readonly string[];
}

/** The outputs of a pipeline that tell of a message, in the order in which they were written. */
export async function outputsOf(
  cluster: Cluster,
  pipeline: PipelineName,
  source: Source,
  subject: Subject,
): Promise<FoundOutputs> {
  const found = await Promise.all(
    pipelines[pipeline].outputs.map((topic) => outputsIn(cluster, pipeline, topic, source, subject)),
  );
  const outputs = found.flatMap((one) => one.outputs).sort((a, b) => (a.at ?? 0) - (b.at ?? 0));
  return { outputs, cut: found.flatMap((one) => one.cut) };
}

async function outputsIn(
  cluster: Cluster,
  pipeline: PipelineName,
  topic: TopicKey,
  source: Source,
  subject: Subject,
): Promise<FoundOutputs> {
  const { name } = topics[topic];
  const { partition, offset } = source;
  if (!(await partitionsOf(cluster, name)).includes(partition)) return { outputs: [], cut: [] };
  const since = await offsetsBetween(cluster, name, partition, { from: source.appendedAt - CLOCKS, to: Infinity });
  const range = { from: await firstCausedSince(cluster, name, source, since), to: since.to };
  const key = Buffer.from(subject.identity.key ?? "");
  const outputs: Output[] = [];
  let bytes = 0;
  for await (const records of committedRecords(cluster, name, partition, range))
    for (const record of records) {
      const causedBy = causeOf(record, source.log);
      if (causedBy === null || causedBy < offset) continue;
      if (causedBy > source.until && !isLasting(pipeline, topic)) return { outputs, cut: [] };
      if ((bytes += record.size) > MAX_BYTES) return { outputs, cut: [name] };
      const own = causedBy === offset;
      if (!own && (record.key === null || !key.equals(record.key))) continue;
      const relation = relationOf(topic, record, subject, own);
      if (relation === null || (relation.role === "holds" && !key.equals(record.key ?? key))) continue;
      outputs.push({ ...relation, topic, place: `${name}/${partition}/${record.offset}`, at: record.timestamp });
    }
  return { outputs, cut: [] };
}

/** The input offset in whose step an output was written; null for one of another log. */
function causeOf({ value }: LogRecord, log: string): number | null {
  const id = readRecordId(idOf(value) ?? "");
  return id?.source === log ? id.position.offset : null;
}

/**
 * The first output of a partition that was caused at or behind the arrival: by halving, because outputs stand in the
 * order of their inputs.
 */
async function firstCausedSince(
  cluster: Cluster,
  topic: string,
  { log, partition, offset }: Source,
  range: { readonly from: number; readonly to: number },
): Promise<number> {
  let { from, to } = range;
  while (to - from > 1_000) {
    const middle = Math.floor((from + to) / 2);
    const { records } = await fetchRecords(cluster, topic, partition, middle);
    const first = records.find((record) => causeOf(record, log) !== null);
    if (first && first.offset < to && causeOf(first, log)! < offset) from = first.offset + 1;
    else to = middle;
  }
  return from;
}

/** The dead letters about a record, each with its place. */
export async function lettersAbout(
  cluster: Cluster,
  log: string,
  { partition, offset, appendedAt }: Pick<Source, "partition" | "offset" | "appendedAt">,
): Promise<Arrival["letters"]> {
  const name = topics.deadLetter.name;
  const letters: Arrival["letters"][number][] = [];
  if (!(await partitionsOf(cluster, name)).includes(partition)) return letters;
  const range = await offsetsBetween(cluster, name, partition, { from: appendedAt - CLOCKS, to: Infinity });
  let bytes = 0;
  for await (const records of committedRecords(cluster, name, partition, range))
    for (const record of records) {
      if ((bytes += record.size) > MAX_BYTES) return letters;
      const letter = letterAt(record);
      const { source } = letter;
      if (source?.topic === log && source.partition === partition && source.offset === offset) letters.push(letter);
    }
  return letters;
}

/** What a record of the dead-letter topic says of itself, with its place. */
export function letterAt(record: LogRecord): Arrival["letters"][number] {
  const { partition, offset, timestamp, headers } = record;
  const key = record.key === null ? null : Buffer.from(record.key).toString("utf8");
  const letter = readLetter({ partition, offset, timestamp, headers, key });
  return { ...letter, place: `${topics.deadLetter.name}/${partition}/${offset}` };
}
