import type { Cluster, Kafka } from "kafkajs";
import { keyPartitioner } from "../../../adapters/key-partitioner.ts";
import { newestFirst, offsetsBetween, partitionsOf } from "../../../adapters/read-partition.ts";
import type { LogRecord } from "../../../adapters/record-batches.ts";
import { messageNumberOf } from "../../../domain/dead-letters.ts";
import { taskKey } from "../../../domain/names.ts";
import { pipelines, type PipelineName } from "../../../domain/pipelines.ts";
import { MINUTE, type EpochMs } from "../../../domain/time.ts";
import { headers as headerNames, topics } from "../../../domain/topics.ts";
import { currentProgress } from "../../adapters/kafka-progress.ts";
import { deliveriesOf, type Delivery } from "./consumers.ts";
import { letterAt, lettersAbout, outputsOf } from "./output-search.ts";
import type { Found } from "./search.ts";
import { judge, type Arrival, type ArrivalStory } from "./story.ts";
import { isSame, nameOf, subjectOf, type Identity } from "./subject.ts";

/** Outputs that hold an arrival's readings are looked for among those that the input of so many minutes caused. */
const CAUSED_WITHIN = 10 * MINUTE;
/** Arrivals of one message that are told, the first ones. */
const MAX_ARRIVALS = 20;
/** Letters that are looked at for one of the bridge. */
const MAX_LETTERS = 10_000;

/** The story of one message. */
export interface Story {
  /** What was looked for, in words. */
  readonly wanted: string;
  /** In the order of the log; none: it never arrived in the log. */
  readonly arrivals: readonly ArrivalStory[];
  /** Letters of the bridge about it: what Kafka could not take stands nowhere else. */
  readonly letters: Arrival["letters"];
  readonly deliveries: readonly Delivery[];
  /** The nearest messages of the same boot, where it never arrived. */
  readonly neighbours: readonly { readonly seq: number; readonly place: string; readonly appendedAt: EpochMs }[];
  /** What was not looked at, as sentences. */
  readonly notes: readonly string[];
}

/** What a story is told from. */
export interface Tracing {
  readonly kafka: Kafka;
  readonly cluster: Cluster;
  readonly pipeline: PipelineName;
  /** The log of the pipeline's input, see `logName`. */
  readonly log: string;
}

/** Tells of the arrivals of a message that were found in the log. Reads only. */
export async function tell(tracing: Tracing, identity: Identity, found: Found): Promise<Story> {
  const { kafka, cluster, pipeline, log } = tracing;
  const { partition, records, complete, since } = found;
  const reported = records.slice(0, MAX_ARRIVALS);
  const [progress, ...arrivals] = await Promise.all([
    currentProgress(cluster, taskKey(pipeline, log, partition), partition),
    ...reported.map((record) => arrivalOf(tracing, partition, record)),
  ]);
  const stories = judge(
    arrivals.map(({ arrival }) => arrival),
    progress?.nextOffset ?? null,
    since,
  );
  const letters = stories.length > 0 ? [] : await lettersOfBridge(cluster, identity, since);
  const cut = [...new Set(arrivals.flatMap((one) => one.cut))];
  const input = topics[pipelines[pipeline].input].name;
  const neighbours = stories.length > 0 ? [] : neighboursOf(found, `${input}/${partition}`);
  return {
    wanted: nameOf(identity),
    arrivals: stories,
    letters,
    deliveries: await deliveriesOf(kafka, [...letters.map(({ place }) => place), ...stories.flatMap(placesOf)]),
    neighbours,
    notes: [
      ...(stories.length === 0 && identity.seq !== null && neighbours.length === 0
        ? ["no other message of the same boot arrived in that time either"]
        : []),
      ...(complete ? [] : [`copies were looked for near its place alone, among about 25,000 records`]),
      ...(records.length > reported.length
        ? [`it arrived ${records.length} times; the first ${reported.length} are told`]
        : []),
      ...cut.map((topic) => `${topic} has too much of these minutes to read it all: outputs may be missing here`),
    ],
  };
}

async function arrivalOf(
  { cluster, pipeline, log }: Tracing,
  partition: number,
  record: LogRecord,
): Promise<{ readonly arrival: Arrival; readonly cut: readonly string[] }> {
  const { offset, timestamp: appendedAt, headers, size } = record;
  const subject = subjectOf(pipeline, record);
  const input = topics[pipelines[pipeline].input].name;
  const caused = await offsetsBetween(cluster, input, partition, { from: appendedAt, to: appendedAt + CAUSED_WITHIN });
  const source = { log: `${log}/${partition}`, partition, offset, appendedAt, until: caused.to };
  const [letters, { outputs, cut }] = await Promise.all([
    lettersAbout(cluster, log, source),
    outputsOf(cluster, pipeline, source, subject),
  ]);
  const ingestMs = Number(headers[headerNames.ingestMs] ?? NaN);
  const arrival: Arrival = {
    place: `${input}/${partition}/${offset}`,
    offset,
    subject,
    appendedAt,
    ingestMs: Number.isNaN(ingestMs) ? null : ingestMs,
    traceparent: headers[headerNames.traceparent] ?? null,
    reinjectedFrom: headers[headerNames.reinjectedFrom] ?? null,
    bytes: size,
    letters,
    outputs,
  };
  return { arrival, cut };
}

function placesOf({ place, letters, outputs }: ArrivalStory): string[] {
  return [place, ...letters.map((letter) => letter.place), ...outputs.map((output) => output.place)];
}

function neighboursOf({ before, after }: Found, partition: string): Story["neighbours"] {
  return [before, after].flatMap((neighbour) => {
    if (neighbour === null) return [];
    const { seq, record } = neighbour;
    return [{ seq, place: `${partition}/${record.offset}`, appendedAt: record.timestamp }];
  });
}

/** Letters of the bridge about a message: it has their keys' partition. */
async function lettersOfBridge(cluster: Cluster, identity: Identity, since: EpochMs): Promise<Arrival["letters"]> {
  const { name } = topics.deadLetter;
  if (identity.key === null || identity.seq === null) return [];
  const partition = keyPartitioner(name, (await partitionsOf(cluster, name)).length)(identity.key);
  const range = await offsetsBetween(cluster, name, partition, { from: since, to: Infinity });
  const letters: Arrival["letters"][number][] = [];
  let lookedAt = 0;
  for await (const record of newestFirst(cluster, name, partition, range)) {
    if (++lookedAt > MAX_LETTERS) break;
    const letter = letterAt(record);
    if (letter.source !== null || letter.sensorId !== identity.key) continue;
    const { seq, boot } = messageNumberOf(record.value, letter.contentType);
    const other = { key: letter.sensorId, seq, boot: identity.boot === null ? null : boot, tradeId: null };
    if (isSame(other, identity)) letters.unshift(letter);
  }
  return letters;
}
