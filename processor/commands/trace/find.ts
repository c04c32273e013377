import type { Cluster } from "kafkajs";
import { keyPartitioner } from "../../../adapters/key-partitioner.ts";
import {
  newestFirst,
  offsetsBetween,
  partitionsOf,
  recordAt,
  type TimeRange,
} from "../../../adapters/read-partition.ts";
import { MillraceError } from "../../../domain/errors.ts";
import { logName, topicOfLog } from "../../../domain/names.ts";
import { pipelineNames, pipelines, type PipelineName } from "../../../domain/pipelines.ts";
import { parseSessionId, readRecordId, type SessionRecord } from "../../../domain/records.ts";
import { topics, type TopicKey } from "../../../domain/topics.ts";
import type { Wanted } from "./arguments.ts";
import { letterAt } from "./output-search.ts";
import { idOf } from "./outputs.ts";
import { InputSearch, type Found } from "./search.ts";
import type { Identity } from "./subject.ts";

/** Records of sessions that are looked at for one. */
const MAX_SESSION_RECORDS = 50_000;

/** A message that was looked for: of which pipeline it is, and its arrivals. */
export interface FoundMessage {
  readonly pipeline: PipelineName;
  readonly identity: Identity;
  readonly found: Found;
}

interface Place {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/**
 * Finds what is wanted in the logs of the pipelines' inputs.
 *
 * @throws MillraceError `arguments-invalid` for a record or a trace that is not there, and says what to do
 */
export async function findMessage(
  cluster: Cluster,
  generation: number,
  wanted: Wanted,
  times: TimeRange,
): Promise<FoundMessage> {
  if (wanted.kind === "message") {
    const identity = { key: wanted.sensor, seq: wanted.seq, boot: wanted.boot, tradeId: null };
    return byIdentity(cluster, "sensor", identity, times);
  }
  if (wanted.kind === "trade")
    return byIdentity(cluster, "market", { key: wanted.symbol, seq: null, boot: null, tradeId: wanted.tradeId }, times);
  if (wanted.kind === "record") return byPlace(cluster, generation, wanted);
  if (wanted.kind === "session")
    return byPlace(cluster, generation, await beginningOf(cluster, wanted.sessionId, times));
  for (const pipeline of await existing(cluster)) {
    const search = searchOf(cluster, pipeline);
    const record = await search.byTraceId(wanted.traceId, wanted.key, times);
    if (record) return { pipeline, ...(await search.around(record)) };
  }
  const until = times.to === Infinity ? "now" : new Date(times.to).toISOString();
  throw notThere(
    `no record that was appended between ${new Date(times.from).toISOString()} and ${until} has the trace id ` +
      `${wanted.traceId}: --from looks further back`,
  );
}

/**
 * The pipelines whose input can be read: where one does not run, its topic is not there, or may not be read.
 *
 * @throws MillraceError `arguments-invalid` when none can
 */
async function existing(cluster: Cluster): Promise<PipelineName[]> {
  const found: PipelineName[] = [];
  let problem: unknown;
  for (const pipeline of pipelineNames)
    await partitionsOf(cluster, topics[pipelines[pipeline].input].name).then(
      () => found.push(pipeline),
      (error: unknown) => (problem = error),
    );
  if (found.length === 0) throw problem;
  return found;
}

async function byIdentity(
  cluster: Cluster,
  pipeline: PipelineName,
  identity: Identity & { readonly key: string },
  times: TimeRange,
): Promise<FoundMessage> {
  return { pipeline, identity, found: await searchOf(cluster, pipeline).byIdentity(identity, times) };
}

function searchOf(cluster: Cluster, pipeline: PipelineName): InputSearch {
  return new InputSearch(cluster, pipeline, topics[pipelines[pipeline].input].name);
}

/** The input record that began a session: its records name it. */
async function beginningOf(cluster: Cluster, sessionId: string, times: TimeRange): Promise<Place> {
  const { name } = topics.sessions;
  const { sensorId } = parseSessionId(sessionId);
  const partition = keyPartitioner(name, (await partitionsOf(cluster, name)).length)(sensorId);
  const range = await offsetsBetween(cluster, name, partition, times);
  let looked = 0;
  let first: Place | null = null;
  for await (const { value } of newestFirst(cluster, name, partition, range)) {
    if (++looked > MAX_SESSION_RECORDS) break;
    if (value === null) continue;
    const record = JSON.parse(Buffer.from(value).toString("utf8")) as SessionRecord;
    if (record.sessionId !== sessionId) continue;
    first = placeOfId(record.id);
    if (record.type === "started") break;
  }
  if (first) return first;
  throw notThere(
    `no record of the session ${sessionId} is among the newest ${MAX_SESSION_RECORDS} of ${name}/${partition} in ` +
      "that time: --from looks further back, and --from-lake DIR has those that the log has lost",
  );
}

/** The input record that an id names; null for no id. */
function placeOfId(recordId: string): Place | null {
  const id = readRecordId(recordId);
  const at = id?.source.lastIndexOf("/") ?? -1;
  return (
    id && { topic: id.source.slice(0, at), partition: Number(id.source.slice(at + 1)), offset: id.position.offset }
  );
}

async function byPlace(cluster: Cluster, generation: number, place: Place): Promise<FoundMessage> {
  const { topic: log, partition, offset } = await inputPlace(cluster, place);
  const pipeline = pipelineNames.find((name) => topics[pipelines[name].input].name === topicOfLog(log));
  if (!pipeline) throw notThere(`${nameOf(place)} is no record of Millrace: ${log} is no topic of a pipeline`);
  const topic = topics[pipelines[pipeline].input].name;
  if (log !== logName(topic, generation))
    throw notThere(
      `${nameOf(place)} comes from the log ${log}, which was lost: ${logName(topic, generation)} took its place. ` +
        "--from-lake DIR finds its records there",
    );
  const record = await readAt(cluster, { topic, partition, offset });
  if (!record)
    throw notThere(
      `${topic}/${partition}/${offset} is not in the log: it was deleted by retention, is still to come, ` +
        "or is a transaction's marker. --from-lake DIR finds the records of seven years",
    );
  return { pipeline, ...(await searchOf(cluster, pipeline).around(record)) };
}

/** The input record that a place means: the source of an output or of a dead letter, or itself. */
async function inputPlace(cluster: Cluster, place: Place): Promise<Place> {
  const { topic } = place;
  const isOutput = pipelineNames.some((name) =>
    (pipelines[name].outputs as readonly TopicKey[]).some((key) => topics[key].name === topic),
  );
  if (topic !== topics.deadLetter.name && !isOutput) return place;
  const record = await readAt(cluster, place);
  if (!record) throw notThere(`${nameOf(place)} is not in the log (any more): --from-lake DIR finds what was in it`);
  if (isOutput) {
    const source = placeOfId(idOf(record.value) ?? "");
    if (!source) throw notThere(`${nameOf(place)} has no id`);
    return source;
  }
  const { source } = letterAt(record);
  if (source) return source;
  throw notThere(
    `${nameOf(place)} was written by the bridge: Kafka could not take its message, so it never was in an input. ` +
      `npm run dead-letters -- show ${nameOf(place)} has all of it`,
  );
}

async function readAt(cluster: Cluster, { topic, partition, offset }: Place) {
  if (!(await partitionsOf(cluster, topic)).includes(partition))
    throw notThere(`${topic} has no partition ${partition}`);
  return recordAt(cluster, topic, partition, offset);
}

function nameOf({ topic, partition, offset }: Place): string {
  return `${topic}/${partition}/${offset}`;
}

function notThere(message: string): MillraceError {
  return new MillraceError("arguments-invalid", message);
}
