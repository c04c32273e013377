import type { Kafka } from "kafkajs";
import { openCluster, partitionBounds } from "../../adapters/kafka-cluster.ts";
import { fetchRecords } from "../../adapters/kafka-records.ts";
import { type PipelineName, pipelines } from "../../domain/pipelines.ts";
import type { LateRecord, SessionRecord, WindowRecord } from "../../domain/records.ts";
import { defaultSemantics, type Semantics } from "../../domain/semantics.ts";
import { headers as headerNames, type TopicKey, topics } from "../../domain/topics.ts";
import { modelFiles } from "../../processor/adapters/model-files.ts";
import { ModelStore } from "../../processor/adapters/model-store.ts";
import { openPipeline } from "../../processor/adapters/open-pipeline.ts";
import { outputLine } from "../../processor/commands/replay/lines.ts";
import { Replay } from "../../processor/commands/replay/replay.ts";
import type { InputRecord, OutputRecord } from "../../processor/runtime/machine.ts";
import type { SensorReport } from "../../simulator/report.ts";

/** What was published, sensor by sensor: the simulator's report. */
export type Published = Readonly<Record<string, SensorReport>>;

/** Every reading published against every record that committed readers see. */
export interface Accounts {
  readonly published: number;
  /** In the last revisions of all windows, or in the late topic. */
  readonly accounted: number;
  readonly lost: number;
  /** Records whose id, or whose window or session and revision, had been there before. */
  readonly duplicated: number;
  readonly sessionsExpected: number;
  /**
   * Recordings without a session of exactly their start, end and samples, and sessions without a recording. Where
   * settings were changed: sensors whose sessions and late readings together have other samples than were published.
   */
  readonly sessionsWrong: readonly string[];
  readonly deadLettersExpected: number;
  readonly deadLetters: number;
}

const json = <T>(record: InputRecord): T => JSON.parse(Buffer.from(record.value!).toString("utf8")) as T;

/** All committed records of a topic up to its end now, by partition, in offset order. */
export async function readTopic(kafka: Kafka, topic: string): Promise<InputRecord[][]> {
  const cluster = openCluster(kafka);
  await cluster.connect();
  try {
    await cluster.addTargetTopic(topic);
    const partitions = cluster
      .findTopicPartitionMetadata(topic)
      .map(({ partitionId }) => partitionId)
      .sort((a, b) => a - b);
    return await Promise.all(
      partitions.map(async (partition) => {
        const { earliest, latest } = await partitionBounds(cluster, topic, partition);
        const records: InputRecord[] = [];
        for (let offset = earliest; offset < latest;) {
          const fetched = await fetchRecords(cluster, topic, partition, offset);
          records.push(...fetched.records.filter((record) => record.offset < latest));
          offset = fetched.nextOffset;
        }
        return records;
      }),
    );
  } finally {
    await cluster.disconnect();
  }
}

/** Readings in windows per sensor, and the number of repeated records. */
function windowReadings(records: readonly InputRecord[]): { bySensor: Map<string, number>; repeated: number } {
  const newest = new Map<string, WindowRecord>();
  const seen = new Set<string>();
  let repeated = 0;
  for (const record of records.map((one) => json<WindowRecord>(one))) {
    const window = `${record.operator} ${record.sensorId}@${record.window.start}`;
    for (const name of [record.id, `${window}#${record.revision}`]) {
      if (seen.has(name)) repeated++;
      seen.add(name);
    }
    if ((newest.get(window)?.revision ?? -1) < record.revision) newest.set(window, record);
  }
  const bySensor = new Map<string, number>();
  for (const { sensorId, count } of newest.values()) bySensor.set(sensorId, (bySensor.get(sensorId) ?? 0) + count);
  return { bySensor, repeated };
}

type EndedSession = Extract<SessionRecord, { type: "ended" }>;

const sessionLine = ({ sensorId, start, end, samples }: Omit<EndedSession, "type" | "id">): string =>
  `${sensorId} ${start} to ${end}: ${samples} samples`;

/** The final sessions: the last `ended` record of each id that no other session supersedes. */
function finalSessions(records: readonly InputRecord[]): { sessions: EndedSession[]; repeated: number } {
  const ended = new Map<string, EndedSession>();
  const superseded = new Set<string>();
  const seen = new Set<string>();
  let repeated = 0;
  for (const record of records.map((one) => json<SessionRecord>(one))) {
    if (seen.has(record.id)) repeated++;
    seen.add(record.id);
    for (const id of record.supersedes) superseded.add(id);
    if (record.type === "ended" && (ended.get(record.sessionId)?.revision ?? -1) < record.revision)
      ended.set(record.sessionId, record);
  }
  return { sessions: [...ended.values()].filter(({ sessionId }) => !superseded.has(sessionId)), repeated };
}

/** Recordings and sessions that have no counterpart. */
function compareSessions(found: readonly EndedSession[], published: Published): string[] {
  const expected = new Set(
    Object.entries(published).flatMap(([sensorId, { executions }]) =>
      executions.map(({ start, end, samples }) => `${sensorId} ${start} to ${end}: ${samples} samples`),
    ),
  );
  const ours = new Set(found.filter(({ sensorId }) => sensorId in published).map(sessionLine));
  return [
    ...[...expected].filter((session) => !ours.has(session)).map((session) => `missing: ${session}`),
    ...[...ours].filter((session) => !expected.has(session)).map((session) => `unexpected: ${session}`),
  ];
}

/** A change of settings ends sessions wherever it meets them, but no reading is lost or counted twice by it. */
function compareSessionReadings(
  found: readonly EndedSession[],
  late: readonly LateRecord[],
  published: Published,
): string[] {
  const bySensor = new Map<string, number>();
  const add = (sensorId: string, samples: number): void =>
    void bySensor.set(sensorId, (bySensor.get(sensorId) ?? 0) + samples);
  for (const { sensorId, samples } of found) add(sensorId, samples);
  for (const { sensorId, operator, t } of late) if (operator === "session") add(sensorId, t.length);
  return Object.entries(published).flatMap(([sensorId, { samples }]) => {
    const sum = bySensor.get(sensorId) ?? 0;
    return sum === samples ? [] : [`${sensorId}: ${sum} of ${samples} samples are in sessions or late for them`];
  });
}

/**
 * Compares what was published with the outputs in Kafka now.
 *
 * @param settingsChanged Whether settings were changed meanwhile: sessions are then compared by their samples
 */
export async function settleAccounts(kafka: Kafka, published: Published, settingsChanged = false): Promise<Accounts> {
  const [windows, sessions, late, dead] = await Promise.all(
    [topics.aggregated, topics.sessions, topics.late, topics.deadLetter].map(async ({ name }) =>
      (await readTopic(kafka, name)).flat(),
    ),
  );
  const { bySensor, repeated } = windowReadings(windows!);
  const lateRecords = late!.map((one) => json<LateRecord>(one));
  for (const record of lateRecords)
    if (record.operator === "window")
      bySensor.set(record.sensorId, (bySensor.get(record.sensorId) ?? 0) + record.t.length);
  const found = finalSessions(sessions!);
  const sensors = Object.entries(published);
  return {
    published: sensors.reduce((sum, [, { samples }]) => sum + samples, 0),
    accounted: sensors.reduce((sum, [sensorId]) => sum + (bySensor.get(sensorId) ?? 0), 0),
    lost: sensors.reduce(
      (sum, [sensorId, { samples }]) => sum + Math.max(0, samples - (bySensor.get(sensorId) ?? 0)),
      0,
    ),
    duplicated:
      repeated +
      found.repeated +
      sensors.reduce((sum, [sensorId, { samples }]) => sum + Math.max(0, (bySensor.get(sensorId) ?? 0) - samples), 0),
    sessionsExpected: sensors.reduce((sum, [, { executions }]) => sum + executions.length, 0),
    sessionsWrong: settingsChanged
      ? compareSessionReadings(found.sessions, lateRecords, published)
      : compareSessions(found.sessions, published),
    deadLettersExpected: sensors.reduce((sum, [, { corrupt }]) => sum + corrupt, 0),
    deadLetters: new Set(
      dead!
        .filter(
          ({ key, headers }) =>
            key !== null && Buffer.from(key).toString() in published && headers[headerNames.stage] === "processor",
        )
        .map(({ headers }) => `${headers[headerNames.sourcePartition]}/${headers[headerNames.sourceOffset]}`),
    ).size,
  };
}

/** Whether every reading is accounted for, once. */
export function isSettled({ lost, duplicated, sessionsWrong, deadLetters, deadLettersExpected }: Accounts): boolean {
  return lost === 0 && duplicated === 0 && sessionsWrong.length === 0 && deadLetters >= deadLettersExpected;
}

/**
 * Replays the log of the input topic and compares each output partition, byte for byte. The outputs in Kafka must be a
 * prefix of the replay's, because the log is read after them.
 *
 * @returns The first difference per topic and partition.
 */
export async function compareWithReplay(
  kafka: Kafka,
  modelFolder: string,
  semantics: Semantics = defaultSemantics,
  pipeline: PipelineName = "sensor",
): Promise<{ compared: number; differences: string[] }> {
  const { input, outputs } = pipelines[pipeline];
  const outputTopics = [...outputs.map((key: TopicKey) => topics[key].name), topics.deadLetter.name];
  const written = new Map(
    await Promise.all(outputTopics.map(async (topic) => [topic, await readTopic(kafka, topic)] as const)),
  );
  const source = topics[input].name;
  const log = await readTopic(kafka, source);
  const scoring = { source: new ModelStore(modelFiles(modelFolder, "local")), refused: () => undefined };
  const differences: string[] = [];
  let compared = 0;
  for (const [partition, records] of log.entries()) {
    const replayed = new Map<string, string[]>();
    const take = async (outputs: readonly OutputRecord[]): Promise<void> => {
      for (const output of outputs) {
        const lines = replayed.get(output.topic) ?? [];
        replayed.set(output.topic, lines);
        lines.push(outputLine(output));
      }
    };
    await new Replay(
      openPipeline(pipeline, scoring, { initial: semantics }),
      async function* () {
        yield* records;
      },
      take,
    ).run(false);
    for (const topic of outputTopics) {
      const lines = (written.get(topic)![partition] ?? [])
        .filter(({ headers }) => topic !== topics.deadLetter.name || headers[headerNames.sourceTopic] === source)
        .map(({ key, value, headers }) => outputLine({ topic, key, value, headers }));
      const expected = replayed.get(topic) ?? [];
      compared += lines.length;
      const at = lines.findIndex((line, i) => line !== expected[i]);
      if (at < 0) continue;
      const [found, replay] = [lines[at]!.slice(0, 300), expected[at]?.slice(0, 300) ?? "nothing"];
      const where = `${topic}/${partition}, record ${at} of ${lines.length}`;
      differences.push(`${where}: Kafka has ${found}, the replay gives ${replay}`);
    }
  }
  return { compared, differences };
}
