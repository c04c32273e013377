import type { Cluster } from "kafkajs";
import { partitionBounds } from "../../adapters/kafka-cluster.ts";
import { fetchRecords, type FetchedPartition } from "../../adapters/kafka-records.ts";
import { topics } from "../../domain/topics.ts";
import type { Progress } from "../engine/ports.ts";
import type { OutputRecord } from "../runtime/machine.ts";
import { claimKey, inProgressTopic, OWNER_HEADER, readClaim, text } from "./kafka-claim.ts";
import { decodeProgress, encodeProgress } from "./progress-record.ts";

/** Offsets before the end of the partition at which the search begins. It goes further back if it finds nothing. */
const FIRST_LOOK_BACK = 256;
/** Each search goes so many times further back than the one before. */
const LOOK_BACK_FACTOR = 16;
/** How long a claim may take to become readable: another task's open transaction in the partition holds it up. */
const CLAIM_LIMIT_MS = 60_000;

/** The record by which a life commits its task's progress. */
export function toProgressRecord(task: string, progress: Progress, owner: string): OutputRecord {
  return inProgressTopic(task, encodeProgress(progress), { [OWNER_HEADER]: owner });
}

/**
 * Step 2: finds the task's last progress before its claim. Reads the partition of `millrace-progress`, committed
 * records only, until the claim with `token` comes back.
 *
 * @throws Error when it does not come back within a minute; what reading throws
 */
export async function progressBefore(
  cluster: Cluster,
  task: string,
  partition: number,
  token: string,
): Promise<Progress | null> {
  const { earliest, latest } = await partitionBounds(cluster, topics.progress.name, partition);
  for (let lookBack = FIRST_LOOK_BACK; ; lookBack *= LOOK_BACK_FACTOR) {
    const from = Math.max(earliest, latest - lookBack);
    const found = await progressBetween(cluster, task, partition, token, from);
    if (found || from === earliest) return found;
  }
}

/** The task's last committed progress, read without a claim: an owner may commit another one meanwhile. */
export async function currentProgress(cluster: Cluster, task: string, partition: number): Promise<Progress | null> {
  const { earliest, latest } = await partitionBounds(cluster, topics.progress.name, partition);
  for (let lookBack = FIRST_LOOK_BACK; ; lookBack *= LOOK_BACK_FACTOR) {
    const from = Math.max(earliest, latest - lookBack);
    let last: Progress | null = null;
    for (let offset = from; offset < latest;) {
      const { records, nextOffset } = await fetchProgress(cluster, partition, offset);
      for (const { key, value } of records) if (text(key) === task && value) last = decodeProgress(text(value)!);
      offset = nextOffset;
    }
    if (last || from === earliest) return last;
  }
}

/** The task's last progress from `from` on and before the claim with `token`. */
async function progressBetween(
  cluster: Cluster,
  task: string,
  partition: number,
  token: string,
  from: number,
): Promise<Progress | null> {
  let last: Progress | null = null;
  const deadline = Date.now() + CLAIM_LIMIT_MS;
  for (let offset = from; Date.now() < deadline;) {
    const { records, nextOffset } = await fetchProgress(cluster, partition, offset);
    for (const record of records) {
      const key = text(record.key);
      if (key === claimKey(task) && record.value && readClaim(text(record.value)!).token === token) return last;
      if (key === task && record.value) last = decodeProgress(text(record.value)!);
    }
    offset = nextOffset;
  }
  throw new Error(
    `${task}: the claim did not come back from ${topics.progress.name}/${partition} within ${CLAIM_LIMIT_MS} ms`,
  );
}

function fetchProgress(cluster: Cluster, partition: number, offset: number): Promise<FetchedPartition> {
  return fetchRecords(cluster, topics.progress.name, partition, offset);
}
