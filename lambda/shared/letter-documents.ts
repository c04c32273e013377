import type { Db } from "mongodb";
import type { Letter } from "../../domain/dead-letters.ts";
import { collections } from "../../domain/names.ts";
import type { EpochMs } from "../../domain/time.ts";
import { valueOf } from "./revised.ts";

/** A dead letter. The log and the lake have all of its payload. */
export interface DeadLetterDocument extends Omit<Letter, "id"> {
  /** Id of the letter. */
  readonly _id: string;
  /** Where it is in the topic of dead letters. */
  readonly partition: number;
  readonly offset: number;
  /** Bytes of the whole payload; null where the record had none. */
  readonly bytes: number | null;
  /** The payload, or its first `PAYLOAD_BYTES`. */
  readonly payload: { readonly encoding: "text" | "base64"; readonly content: string } | null;
  readonly expireAt: Date;
}

/** Bytes of a payload that are kept for reading, at most. */
export const PAYLOAD_BYTES = 32 * 1_024;

/** How many messages of a sensor were refused. */
export interface RejectedDocument {
  /** Sensor id. */
  readonly _id: string;
  /** By partition of the topic of dead letters: `revised([offset], number)` of the last one that is counted. */
  readonly letters: Readonly<Record<string, string>>;
  /** When the newest was written. */
  readonly at: EpochMs;
  readonly expireAt: Date;
}

/** Messages of a sensor that were refused, of all partitions. */
export function rejectedOf(document: Pick<RejectedDocument, "letters"> | undefined): number {
  return Object.values(document?.letters ?? {}).reduce((sum, text) => sum + valueOf<number>(text), 0);
}

/** Creates the indexes of dead letters, if they do not exist. */
export async function createLetterIndexes(db: Db): Promise<void> {
  const expiry = { key: { expireAt: 1 }, name: "expiry", expireAfterSeconds: 0 } as const;
  await db
    .collection<DeadLetterDocument>(collections.deadLetters)
    .createIndexes([
      { key: { at: -1, _id: -1 }, name: "newest" },
      { key: { sensorId: 1, at: -1, _id: -1 }, name: "newest-of-sensor" },
      { key: { code: 1, at: -1, _id: -1 }, name: "newest-of-code" },
      expiry,
    ]);
  await db
    .collection<RejectedDocument>(collections.rejected)
    .createIndexes([{ key: { at: -1, _id: -1 }, name: "newest" }, expiry]);
}
