import kafkajs, { type Cluster, type Kafka } from "kafkajs";
import { checkThatTasksRead, settingsInForce } from "../../../adapters/apply-settings.ts";
import { openCluster } from "../../../adapters/kafka-cluster.ts";
import { keyPartitioner } from "../../../adapters/key-partitioner.ts";
import type { Logger } from "../../../adapters/log.ts";
import { MillraceError } from "../../../domain/errors.ts";
import { pipelines } from "../../../domain/pipelines.ts";
import { DAY, SECOND, type EpochMs, type Milliseconds } from "../../../domain/time.ts";
import { controlTypes, topics, type TopicKey } from "../../../domain/topics.ts";
import type { LakePlace } from "../../adapters/lake-place.ts";
import { systemRuntime } from "../../adapters/runtime.ts";
import type { SnapshotStore } from "../../engine/ports.ts";
import type { MachineFactory } from "../../runtime/machine.ts";
import { untilTaken } from "./consumers.ts";
import { eventTimesOf } from "./event-times.ts";
import { type EventTimes, eraseFromLake, RecordSearch } from "./lake.ts";
import { appendErase, snapshotContent } from "./state.ts";

const POLL_MS = 2 * SECOND;
/** A segment of a log is filled for so long at most, and deleted as a whole. */
const SEGMENT_MS = 7 * DAY;
const INPUT = topics.imuData;
/** Topics with records of sensors. */
const SENSOR_TOPICS: readonly TopicKey[] = ["imuData", ...pipelines.sensor.outputs, "deadLetter"];

/** What is erased, and where. */
export interface EraseTarget {
  readonly sensorId: string;
  readonly kafka: Kafka;
  readonly snapshots: SnapshotStore;
  /** The pipeline, as it runs a generation of its log. */
  readonly open: (generation: number) => MachineFactory;
  readonly generation: number;
  readonly eraseStore: () => Promise<Record<string, number>>;
  readonly eraseFeatures: () => Promise<Record<string, number>>;
  /** Null to leave it as it is. */
  readonly lake: EraseLake | null;
  readonly limitMs: number;
  readonly logger: Logger;
  readonly report: (sentence: string) => void;
}

/** The lake that is erased from. */
export interface EraseLake {
  /** As it was given: a folder, or the tables in S3. */
  readonly name: string;
  readonly place: LakePlace;
  /** How long Firehose keeps a row at most, before it is in the lake. */
  readonly bufferMs: Milliseconds;
  /** Lends its log as a folder. */
  readonly withLog: <T>(use: (dir: string) => Promise<T>) => Promise<T>;
}

/** What was removed where, and what goes when. */
export interface Certificate {
  readonly sensorId: string;
  readonly erasedAt: string;
  /** Whether anything of the sensor was found. */
  readonly found: boolean;
  readonly removed: {
    /** Entries of the tasks' snapshots. */
    readonly state: number;
    readonly store: Readonly<Record<string, number>>;
    readonly features: Readonly<Record<string, number>>;
    /** Rows by table; null where the lake was left as it is. */
    readonly lake: Readonly<Record<string, number>> | null;
  };
  readonly remains: readonly { readonly where: string; readonly until: string; readonly why: string }[];
}

/**
 * Erases a sensor:
 *
 * 1. An `erase` record in each partition drops its state, in the step of that record.
 * 2. The tasks' next snapshots name it nowhere.
 * 3. The functions have taken what was written of it before; then store and features lose it.
 * 4. The lake has the `erase` record, and loses the sensor's rows.
 *
 * The device must publish no more. What is interrupted is given again: it erases again.
 *
 * @throws MillraceError `erase-incomplete`; `settings-refused` when a task can't read `erase` records
 */
export async function erase(target: EraseTarget): Promise<Certificate> {
  const { kafka, sensorId, report, limitMs } = target;
  const cluster = openCluster(kafka);
  const begun = Date.now();
  const deadline = systemRuntime.now() + limitMs;
  try {
    await cluster.connect();
    await cluster.addTargetTopic(INPUT.name);
    const partitions = cluster.findTopicPartitionMetadata(INPUT.name).length;
    await checkThatTasksRead(kafka, INPUT.name, controlTypes.erase);
    const before = await entriesOf(target, partitions);
    const offsets = await appendErase(kafka, INPUT.name, partitions, sensorId); // 1
    await untilDropped(target, offsets, deadline); // 2
    report("no snapshot has its state");
    const own = keyPartitioner(INPUT.name, partitions)(sensorId);
    await untilFunctionsHave(target, cluster, own, deadline);
    const store = await target.eraseStore(); // 3
    const features = await target.eraseFeatures();
    report("store and features have lost it");
    const lake = await eraseLake(target, offsets, begun, deadline); // 4
    const counts = [before, ...[store, features, lake ?? {}].flatMap((one) => Object.values(one))];
    // The rows of the `erase` records are none of the sensor's.
    const found = counts.reduce((sum, count) => sum + count, 0) > (lake === null ? 0 : partitions);
    return {
      sensorId,
      erasedAt: iso(Date.now()),
      found,
      removed: { state: before, store, features, lake },
      remains: remains(await retentionOf(kafka), lake === null),
    };
  } finally {
    await cluster.disconnect();
  }
}

async function entriesOf(target: EraseTarget, partitions: number): Promise<number> {
  let entries = 0;
  for (let partition = 0; partition < partitions; partition++)
    entries += (await contentOf(target, partition))?.entries ?? 0;
  return entries;
}

function contentOf(
  { snapshots, open, generation, sensorId, logger }: EraseTarget,
  partition: number,
): ReturnType<typeof snapshotContent> {
  return snapshotContent(snapshots, open(generation), partition, sensorId, logger);
}

/** Step 2. */
async function untilDropped(
  target: EraseTarget,
  offsets: ReadonlyMap<number, number>,
  deadline: number,
): Promise<void> {
  const waiting = new Map(offsets);
  for (;;) {
    const problems: string[] = [];
    for (const [partition, offset] of waiting) {
      const content = await contentOf(target, partition);
      if (content !== null && content.nextOffset > offset && content.entries === 0) waiting.delete(partition);
      else if (content !== null && content.nextOffset > offset)
        problems.push(`partition ${partition} has state of the sensor again: its device still publishes`);
      else
        problems.push(`partition ${partition} has no snapshot behind offset ${offset} yet: is the processor running`);
    }
    if (waiting.size === 0) return;
    if (systemRuntime.now() > deadline) throw incomplete(problems);
    await systemRuntime.sleep(POLL_MS);
  }
}

/** Step 3. */
async function untilFunctionsHave(
  { kafka }: EraseTarget,
  cluster: Cluster,
  partition: number,
  deadline: number,
): Promise<void> {
  const names = new Set(SENSOR_TOPICS.map((key) => topics[key].name));
  for (const name of names) await cluster.addTargetTopic(name);
  const behind = await untilTaken(kafka, cluster, names, partition, deadline);
  if (behind.length > 0) throw incomplete(behind.map((group) => `the group ${group} has not taken all records yet`));
}

/** Step 4. Gives the rows by table; null where there is no lake to erase from. */
async function eraseLake(
  target: EraseTarget,
  offsets: ReadonlyMap<number, number>,
  since: EpochMs,
  deadline: number,
): Promise<Record<string, number> | null> {
  const { lake, sensorId, open, generation, report } = target;
  if (lake === null) return null;
  const { log } = open(generation);
  // What the functions have taken is delivered by then.
  const settled = systemRuntime.now() + lake.bufferMs;
  const ids = [...offsets].map(([partition, offset]) => `${log}/${partition}/${offset}`);
  const search = new RecordSearch(lake.place, ids, since);
  for (let missing = await search.missing(); missing.length > 0; missing = await search.missing()) {
    if (systemRuntime.now() > deadline)
      throw incomplete([`the lake ${lake.name} lacks ${missing.join(", ")}: Firehose has not delivered them`]);
    await systemRuntime.sleep(POLL_MS);
  }
  const eventTimes = await eventTimesIn(target, lake);
  let begun = Date.now();
  const erased = await eraseFromLake(lake.place, { sensorId, eventTimes });
  await systemRuntime.sleep(Math.max(0, settled - systemRuntime.now()));
  // The look at all files may have taken hours, and rows that were on their way have come meanwhile.
  const end = Math.max(deadline, systemRuntime.now() + lake.bufferMs);
  for (let isClean = false; !isClean;) {
    const last = begun;
    begun = Date.now();
    const now = await eraseFromLake(lake.place, { sensorId, eventTimes, since: last });
    for (const [table, count] of Object.entries(now)) erased[table] = (erased[table] ?? 0) + count;
    isClean = Object.values(now).every((count) => count === 0);
    if (!isClean && systemRuntime.now() > end)
      throw incomplete(["the lake gets new rows of the sensor: its device still publishes"]);
    if (!isClean) await systemRuntime.sleep(POLL_MS);
  }
  report("the lake has lost it");
  return erased;
}

/** Where the watermark is each sensor's, a record leaves no event time. */
async function eventTimesIn(
  { kafka, open, generation, sensorId }: EraseTarget,
  { withLog }: EraseLake,
): Promise<EventTimes> {
  const { settings } = await settingsInForce(kafka, INPUT.name);
  if (settings.watermark !== "partition") return new Map();
  return withLog((dir) => eventTimesOf(dir, open(generation), sensorId));
}

/** How long the topics keep the sensor's records, as Kafka has it. */
async function retentionOf(kafka: Kafka): Promise<ReadonlyMap<string, Milliseconds>> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: SENSOR_TOPICS.map((key) => ({
        type: kafkajs.ConfigResourceTypes.TOPIC,
        name: topics[key].name,
        configNames: ["retention.ms"],
      })),
    });
    return new Map(
      resources.map(({ resourceName, configEntries }) => [resourceName, Number(configEntries[0]!.configValue)]),
    );
  } finally {
    await admin.disconnect();
  }
}

function remains(retention: ReadonlyMap<string, Milliseconds>, isLakeLeft: boolean): Certificate["remains"] {
  const segment = `a segment of up to ${SEGMENT_MS / DAY} days`;
  return [
    ...[...retention].map(([topic, ms]) => ({
      where: `Kafka topic ${topic}`,
      // Kafka's word for records that are never deleted is -1.
      until: ms < 0 ? "the topic is deleted" : iso(Date.now() + ms + SEGMENT_MS),
      why: ms < 0 ? "the topic has no retention" : `retention of ${ms / DAY} days, and ${segment}`,
    })),
    {
      where: "logs of the programs",
      until: "their retention",
      why: "a line may name a sensor",
    },
    {
      where: "files of local servers",
      until: "their space is used again",
      why: "a database deletes by letting space go",
    },
    {
      where:
        "on AWS: backups of DynamoDB and DocumentDB, earlier versions of the lake's objects and of the offline store",
      until: "their retention; for the offline store a VACUUM",
      why: "they are kept for a restore",
    },
    ...(isLakeLeft ? [{ where: "the lake", until: "it is erased there", why: "no --lake was given" }] : []),
  ];
}

function incomplete(problems: readonly string[]): MillraceError {
  return new MillraceError("erase-incomplete", `${problems.join("; ")}. Give the command again.`);
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
