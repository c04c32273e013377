import { collections } from "../../domain/names.ts";
import type { InferenceRecord, WindowRecord } from "../../domain/records.ts";
import { DAY, HOUR, MINUTE, type EpochMs, type Milliseconds } from "../../domain/time.ts";
import type { Store } from "./runs.ts";

// What the store holds of sensors. Everything that a function reads or writes has an id that it can calculate, or finds
// in another document: the local server has no other index, and elsewhere what is read is what is paid for.

/** The windows of a sensor and operator that start within a minute. */
export interface WindowsDocument {
  /** `<sensor>/<operator>/<start of the minute>` */
  readonly _id: string;
  /** The newest revision of each window, by its start: `revised([revision], window)`. */
  readonly windows: Readonly<Record<string, string>>;
  /** When MongoDB deletes it: some time after its last window was written. */
  readonly expireAt: Date;
}

/** A window as it is stored: its record without the schema's number. */
export type StoredWindow = Omit<WindowRecord, "schema">;

/**
 * What stands for the operator where inferences are kept: a sensor's are in documents of `windows` and in `hours`, as
 * its windows are, and go with them. Each is `revised(rank of its id, inference)`.
 */
export const INFERENCES = "inference";

/** An inference as it is stored. */
export type StoredInference = Pick<InferenceRecord, "window" | "label" | "probabilities"> & {
  /** Name and version of the model. */
  readonly model: string;
};

/** Numbers in the rank of a stored inference: generation of its log, offset and number of its id. */
export const INFERENCE_RANKS = 3;

/** Length of time whose windows are in a document, and over which a sensor's document says that there are any. */
export const WINDOWS_MS = { document: MINUTE, index: HOUR } as const;

export function windowsDocumentId(sensorId: string, operator: string, minute: EpochMs): string {
  return `${sensorId}/${operator}/${minute}`;
}

/** A session. */
export interface SessionDocument {
  /** Session id. */
  readonly _id: string;
  /**
   * `revised([version], fields)`, where the version says which record it shows: 1 is `started`, 2 + revision is
   * `ended`. Absent while only that the session was superseded is known.
   */
  readonly record?: string;
  /** Ids that its records have named, in no order; a hidden session's, too. */
  readonly supersedes?: readonly string[];
  /** Whether the session was merged into another one. The document then stays as a hidden tombstone. */
  readonly superseded?: true;
  readonly expireAt: Date;
}

/** What the newest record of a session says. */
export interface SessionFields {
  readonly sensorId: string;
  readonly start: EpochMs;
  readonly status: "open" | "ended";
  readonly end: EpochMs | null;
  readonly samples: number | null;
  readonly revision: number | null;
  readonly activity: Readonly<Record<string, number>> | null;
  /** Codes of `sessionWarnings`. */
  readonly warnings: readonly string[];
}

/** The sessions that start within a time: of one sensor a day, of all sensors a minute. */
export interface SessionListDocument {
  /** `<sensor>/<start of the day>` in `session-days`, `<start of the minute>` in `session-times` */
  readonly _id: string;
  /** `revised([version], ListedSession)` of each, by `fieldName(session id)`; of a hidden one `HIDDEN` and null. */
  readonly sessions?: Readonly<Record<string, string>>;
  readonly expireAt?: Date;
}

/** What a list says of a session besides its id, which has the start; null where it is hidden. */
export interface ListedSession {
  readonly end: EpochMs | null;
  readonly samples: number | null;
}

/** The document of `session-times` that says on which days sessions start. */
export interface SessionDaysDocument {
  readonly _id: typeof SESSION_DAYS;
  readonly days?: Readonly<Record<string, true>>;
}
export const SESSION_DAYS = "days";

/** Version of a session that is open. */
export const OPEN = 1;
/** Version of a session that was merged into another one: higher than any that a record has. */
export const HIDDEN = Number.MAX_SAFE_INTEGER;

/** The time whose sessions of all sensors are in a document, and over which `SESSION_DAYS` says that there are any. */
export const SESSION_TIMES_MS = { document: MINUTE, index: DAY } as const;
/** Length of time whose sessions of one sensor are in a document. */
export const SESSION_DAY_MS: Milliseconds = DAY;

/** A sensor. Its times are event times, epoch ms. */
export interface SensorDocument {
  /** Sensor id. */
  readonly _id: string;
  readonly firstSeen: EpochMs;
  readonly lastSeen: EpochMs;
  /** By operator, or `INFERENCES`: the hours in which windows start, and when the last of their windows expires. */
  readonly hours?: Readonly<Record<string, Readonly<Record<string, Date>>>>;
  /** The session that began last: `revised([start, version], ListedSession)`. */
  readonly newestSession?: string;
  /** The days on which sessions start, how many of them are listed, and the readings in these. */
  readonly days?: Readonly<Record<string, SessionTotals>>;
  readonly expireAt: Date;
}

export interface SessionTotals {
  readonly sessions: number;
  readonly samples: number;
}

/** What is newest of a kind. */
export interface NewestDocument {
  readonly _id: typeof NEWEST_WINDOW;
  /** Its end, epoch ms. */
  readonly end: EpochMs;
}
export const NEWEST_WINDOW = "window";

/** The start of the length of time, aligned to the epoch, that an event time lies in. */
export function startOf(time: EpochMs, lengthMs: Milliseconds): EpochMs {
  return Math.floor(time / lengthMs) * lengthMs;
}

/** Creates the indexes that expire documents, if they do not exist. */
export async function createIndexes(store: Store): Promise<void> {
  const expiry = { key: { expireAt: 1 }, name: "expiry", expireAfterSeconds: 0 } as const;
  const { windows, sensors, sessions, sessionDays, sessionTimes } = collections;
  for (const name of [windows, sensors, sessions, sessionDays, sessionTimes])
    await store.collection(name).createIndexes([expiry]);
}
