import { topics } from "../../domain/topics.ts";
import type { Attempt } from "../engine/ports.ts";
import type { OutputRecord } from "../runtime/machine.ts";

/** Header of a progress record: the claim token of the life that wrote it. */
export const OWNER_HEADER = "owner";

/** Key of a claim record. Under the task's own key, compaction would remove the progress before it. */
export function claimKey(task: string): string {
  return `${task}#claim`;
}

/** The record by which a life claims its task's partition of `millrace-progress`. */
export function claimRecord(task: string, token: string, attempt: Attempt | null): OutputRecord {
  return inProgressTopic(claimKey(task), JSON.stringify({ token, ...(attempt ? { attempt } : {}) }));
}

interface Claim {
  readonly token: string;
  readonly attempt?: Attempt;
}

/** Reads a claim record. Before there were attempts, its value was the token alone. */
export function readClaim(value: string): Claim {
  return value.startsWith("{") ? (JSON.parse(value) as Claim) : { token: value };
}

/** A record of `millrace-progress`. */
export function inProgressTopic(key: string, value: string, headers: OutputRecord["headers"] = {}): OutputRecord {
  return { topic: topics.progress.name, key, value: Buffer.from(value), headers };
}

/** Bytes of a record as UTF-8 text. */
export function text(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}
