import { createHash } from "node:crypto";
import type { Kafka } from "kafkajs";
import { MillraceError } from "../domain/errors.ts";
import { MAX_PARTS, partsOf, readReference, referenceHeaders } from "../domain/reference.ts";
import { controlTypes } from "../domain/topics.ts";
import { checkThatTasksRead } from "./apply-settings.ts";
import { type ChangeMade, lastChange, makeChange } from "./control-records.ts";

/** The last version that was published, or began to be. */
export interface PublishedReference {
  readonly version: string;
  readonly parts: number;
  readonly sha256: string;
  /** Whether each partition has all of it: otherwise the command was interrupted. */
  readonly done: boolean;
}

/** The version of reference data that an input topic got last; null for none. */
export async function publishedReference(kafka: Kafka, topic: string): Promise<PublishedReference | null> {
  const last = await lastChange(kafka, { topic, type: controlTypes.reference });
  return last && { ...(JSON.parse(last.value) as Omit<PublishedReference, "done">), done: last.done };
}

/**
 * Puts a version of the reference data in force in all partitions of an input topic.
 *
 * @param text The data as JSON, see `domain/reference.ts`.
 * @returns Null when the very same text was published last.
 * @throws MillraceError `arguments-invalid` that lists every problem of the data; `settings-refused`
 */
export async function publishReference(kafka: Kafka, topic: string, text: string): Promise<ChangeMade | null> {
  const read = readReference(text);
  const parts = partsOf(text);
  const problems = "problems" in read ? [...read.problems] : [];
  if (parts.length > MAX_PARTS) problems.push(`it has ${parts.length} parts of 256 KB; at most ${MAX_PARTS} are taken`);
  if (!("data" in read) || problems.length > 0) {
    const list = problems.map((problem) => `  - ${problem}`).join("\n");
    throw new MillraceError("arguments-invalid", `the reference data has mistakes:\n${list}`);
  }
  const { version } = read.data;
  const sha256 = createHash("sha256").update(text).digest("hex");
  const last = await publishedReference(kafka, topic);
  if (last?.done && last.version === version && last.sha256 === sha256) return null;
  if (last?.version === version && last.sha256 !== sha256) {
    const problem = `version ${version} was published with other content (SHA-256 ${last.sha256})`;
    throw new MillraceError("settings-refused", `${problem}: give the new data a version of its own`);
  }
  await checkThatTasksRead(kafka, topic, controlTypes.reference);
  const records = parts.map((part, i) => ({
    [referenceHeaders.version]: version,
    [referenceHeaders.part]: String(i),
    [referenceHeaders.parts]: String(parts.length),
    [referenceHeaders.text]: part,
  }));
  const value = JSON.stringify({ version, parts: parts.length, sha256 });
  return makeChange(kafka, { topic, type: controlTypes.reference, value, records });
}
