import type { Cluster } from "kafkajs";
import { z } from "zod";
import { topics } from "../../domain/topics.ts";
import type { Progress } from "../engine/ports.ts";
import { partitionBounds } from "./kafka-cluster.ts";
import { fetchRecords } from "./kafka-records.ts";

const progressSchema = z.object({
  nextOffset: z.number().int().min(0),
  origin: z.number().int().min(0),
  fingerprint: z.string(),
  chain: z.string(),
  failed: z.array(z.tuple([z.number().int().min(0), z.string()])).default([]),
});
/** How far before the claim the search begins; it goes back further until it finds something. */
const FIRST_LOOK_BACK = 256;
/** How long a claim may take to become readable: as long as another task's open transaction in the partition. */
const CLAIM_LIMIT_MS = 60_000;

/** Key of a claim: a claim under the task's own key would let compaction remove the progress before it. */
export function claimKey(task: string): string {
  return `${task}#claim`;
}

export function encodeProgress(progress: Progress): string {
  const { nextOffset, origin, fingerprint, chain, failed } = progress;
  return JSON.stringify({ nextOffset, origin, fingerprint, chain, ...(failed.length > 0 ? { failed } : {}) });
}

export function decodeProgress(json: string): Progress {
  return progressSchema.parse(JSON.parse(json));
}

/**
 * Step 2: reads the task's partition of `millrace-progress`, committed records only, until the claim with `token` comes
 * back, and gives the task's last progress before it.
 */
export async function progressBefore(
  cluster: Cluster,
  task: string,
  partition: number,
  token: string,
): Promise<Progress | null> {
  const { earliest, latest } = await partitionBounds(cluster, topics.progress.name, partition);
  for (let lookBack = FIRST_LOOK_BACK; ; lookBack *= 16) {
    const from = Math.max(earliest, latest - lookBack);
    const found = await lastProgress(cluster, task, partition, token, from);
    if (found || from === earliest) return found;
  }
}

/** The task's last committed progress as it is now, read without claiming anything. */
export async function currentProgress(cluster: Cluster, task: string, partition: number): Promise<Progress | null> {
  const { earliest, latest } = await partitionBounds(cluster, topics.progress.name, partition);
  let last: Progress | null = null;
  for (let offset = earliest; offset < latest;) {
    const { records, nextOffset } = await fetchRecords(cluster, topics.progress.name, partition, offset);
    for (const record of records)
      if (text(record.key) === task && record.value) last = decodeProgress(text(record.value)!);
    offset = nextOffset;
  }
  return last;
}

async function lastProgress(
  cluster: Cluster,
  task: string,
  partition: number,
  token: string,
  from: number,
): Promise<Progress | null> {
  let last: Progress | null = null;
  const deadline = Date.now() + CLAIM_LIMIT_MS;
  for (let offset = from; Date.now() < deadline;) {
    const { records, nextOffset } = await fetchRecords(cluster, topics.progress.name, partition, offset);
    for (const record of records) {
      const key = text(record.key);
      if (key === claimKey(task) && text(record.value) === token) return last;
      if (key === task && record.value) last = decodeProgress(text(record.value)!);
    }
    offset = nextOffset;
  }
  throw new Error(
    `${task}: the claim did not come back from ${topics.progress.name}/${partition} within ${CLAIM_LIMIT_MS} ms`,
  );
}

function text(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}
