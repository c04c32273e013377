import { topics } from "./topics.ts";

// A client that was away names the last ids that it has, and is sent again what came after them.

/** What stands for all sensors in a subscription. */
export const ALL_SENSORS = "*";

/** The messages that can be had again, each with the topic that has them. */
export const resumeTopics = {
  window: topics.aggregated.name,
  session: topics.sessions.name,
  inference: topics.inference.name,
} as const;
export type ResumeType = keyof typeof resumeTopics;
export const resumeTypes = Object.keys(resumeTopics) as ResumeType[];

/** Ids of one type in a subscription, at most: one of each partition. */
export const MAX_RESUME_IDS = 100;
/** Partitions that a connection has asked for and that it has not been sent yet, at most. */
export const MAX_RESUMES = 300;

/** The form of an id of what a sensor's readings caused. */
export const SENSOR_RECORD_ID = new RegExp(
  String.raw`^${topics.imuData.name}(?:~(\d{1,9}))?\/(\d{1,6})\/(\d{1,15})\/(\d{1,9})$`,
);

/** Where an id stands in the order of a partition. */
export interface ResumePosition {
  readonly partition: number;
  /** Of the input's log: one that was lost has the next behind it, which begins at offset 0 again. */
  readonly generation: number;
  readonly offset: number;
  readonly n: number;
}

/** The position that an id names; null for an id of another form. */
export function resumePositionOf(id: string): ResumePosition | null {
  const [, generation = "1", partition, offset, n] = SENSOR_RECORD_ID.exec(id) ?? [];
  if (partition === undefined) return null;
  return { partition: Number(partition), generation: Number(generation), offset: Number(offset), n: Number(n) };
}

/** Whether a position of a partition is behind another one of it. */
export function isBeyond(position: ResumePosition, other: ResumePosition): boolean {
  return (position.generation - other.generation || position.offset - other.offset || position.n - other.n) > 0;
}

/** What a connection asks to be sent again of a partition. */
export interface Resume {
  /** Of the request that asked for it: no other has it. */
  readonly requestId: string;
  /** A sensor, or `ALL_SENSORS`. */
  readonly sensorId: string;
  readonly partition: number;
  /** The last id that the client has of each type; what it does not name is not sent again. */
  readonly after: Readonly<Partial<Record<ResumeType, string>>>;
}

/**
 * What a request asks for, by partition.
 *
 * @param ids Each of the form of `SENSOR_RECORD_ID`, one of a type and partition.
 */
export function resumesOf(
  requestId: string,
  sensorId: string,
  ids: Readonly<Partial<Record<ResumeType, readonly string[] | undefined>>>,
): Resume[] {
  const byPartition = new Map<number, Partial<Record<ResumeType, string>>>();
  for (const type of resumeTypes)
    for (const id of ids[type] ?? []) {
      const { partition } = resumePositionOf(id)!;
      byPartition.set(partition, { ...byPartition.get(partition), [type]: id });
    }
  return [...byPartition].map(([partition, after]) => ({ requestId, sensorId, partition, after }));
}
