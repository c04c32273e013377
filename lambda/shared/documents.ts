import type { Db } from "mongodb";
import { collections } from "../../domain/names.ts";
import type { Cause } from "../../domain/records.ts";

/** A session in MongoDB. */
export interface SessionDocument {
  /** Session id. */
  readonly _id: string;
  readonly sensorId: string;
  readonly start: number;
  /**
   * Which record of the session the document shows: 1 is `started`, 2 + revision is `ended`. 0 is none: only that the
   * session was superseded is known.
   */
  readonly version: number;
  readonly status: "open" | "ended";
  readonly end: number | null;
  readonly samples: number | null;
  readonly revision: number | null;
  /** Ids that its records have named, in no order; a hidden session's, too. */
  readonly supersedes: readonly string[];
  readonly activity: Readonly<Record<string, number>> | null;
  /** Codes of `sessionWarnings`; absent in documents of versions that had none. */
  readonly warnings?: readonly string[];
  /** Whether the session was merged into another one. The document then stays as a hidden tombstone. */
  readonly superseded: boolean;
}

/** The newest revision of a window in MongoDB. */
export interface WindowDocument {
  /** `<sensor>/<operator>/<start>` */
  readonly _id: string;
  readonly sensorId: string;
  readonly operator: string;
  readonly start: number;
  readonly end: number;
  readonly revision: number;
  readonly recordId: string;
  readonly cause: Cause;
  readonly count: number;
  readonly channels: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** When MongoDB deletes it. */
  readonly expireAt: Date;
}

/** A sensor in MongoDB. Its times are event times, epoch ms. */
export interface SensorDocument {
  /** Sensor id. */
  readonly _id: string;
  readonly firstSeen: number;
  readonly lastSeen: number;
}

/** Creates the indexes for reading lists and for expiring windows, if they do not exist. */
export async function createIndexes(db: Db): Promise<void> {
  await db.collection<SessionDocument>(collections.sessions).createIndexes([
    { key: { start: -1, _id: -1 }, name: "newest" },
    { key: { sensorId: 1, start: -1, _id: -1 }, name: "newest-of-sensor" },
  ]);
  await db.collection<WindowDocument>(collections.windows).createIndexes([
    { key: { sensorId: 1, start: -1, _id: -1 }, name: "newest-of-sensor" },
    { key: { end: -1 }, name: "newest" },
    { key: { expireAt: 1 }, name: "expiry", expireAfterSeconds: 0 },
  ]);
  await db
    .collection<SensorDocument>(collections.sensors)
    .createIndexes([{ key: { firstSeen: -1, _id: -1 }, name: "newest" }]);
}
