import type { Cluster } from "kafkajs";
import { partitionBounds } from "../../adapters/kafka-cluster.ts";
import { fetchRecords, ISOLATION, type Isolation } from "../../adapters/kafka-records.ts";
import { topics } from "../../domain/topics.ts";
import { isCommandToken, type Hold, type Standing } from "../engine/ports.ts";
import type { InputRecord, OutputRecord } from "../runtime/machine.ts";
import { claimKey, inProgressTopic, OWNER_HEADER, readClaim, text } from "./kafka-claim.ts";

/** Offsets before the end of the partition at which the search begins. It goes further back if it finds nothing. */
const FIRST_LOOK_BACK = 256;
/** Each search goes so many times further back than the one before. */
const LOOK_BACK_FACTOR = 16;

/** Key of a hold record. */
function holdKey(task: string): string {
  return `${task}#hold`;
}

/** The record that holds a task, or takes the hold away. */
export function holdRecord(task: string, hold: Hold | null): OutputRecord {
  return inProgressTopic(holdKey(task), JSON.stringify(hold));
}

/**
 * Who holds or owns a task, by the end of its partition of `millrace-progress`. Searches back to a claim or progress of
 * the task, so that it need not read all of it: a hold comes before the fence of its command by seconds at most, and
 * claims of commands don't end the search.
 */
export async function readStanding(cluster: Cluster, task: string, partition: number): Promise<Standing> {
  const { earliest, latest } = await partitionBounds(cluster, topics.progress.name, partition);
  for (let lookBack = FIRST_LOOK_BACK; ; lookBack *= LOOK_BACK_FACTOR) {
    const from = Math.max(earliest, latest - lookBack);
    const standing = await standingFrom(cluster, task, partition, from, latest);
    if (standing.owner !== null || from === earliest) return standing;
  }
}

async function standingFrom(
  cluster: Cluster,
  task: string,
  partition: number,
  from: number,
  latest: number,
): Promise<Standing> {
  const read = (isolation: Isolation): Promise<InputRecord[]> => readAll(cluster, partition, from, latest, isolation);
  // A hold is no part of a transaction. Committed records end before an open one, another task's included.
  const [committed, all] = await Promise.all([read(ISOLATION.committed), read(ISOLATION.uncommitted)]);
  const held = all.findLast(({ key }) => text(key) === holdKey(task));
  let owner: string | null = null;
  let uncommitted: Standing["uncommitted"] = null;
  let byCommand = false;
  for (const { key, value, headers } of committed) {
    if (value === null) continue;
    if (text(key) === claimKey(task)) {
      const { token, attempt } = readClaim(text(value)!);
      byCommand = isCommandToken(token);
      if (byCommand) continue;
      owner = token;
      uncommitted = { attempt: attempt ?? null };
    } else if (text(key) === task) {
      uncommitted = null;
      const token = headers[OWNER_HEADER];
      if (token !== undefined && !isCommandToken(token)) owner = token;
    }
  }
  const hold = held?.value ? (JSON.parse(text(held.value)!) as Hold | null) : null;
  return { hold, owner, byCommand, uncommitted };
}

/** The records of [`from`, `until`) that can be read now. */
async function readAll(
  cluster: Cluster,
  partition: number,
  from: number,
  until: number,
  isolation: Isolation,
): Promise<InputRecord[]> {
  const all: InputRecord[] = [];
  for (let offset = from; offset < until;) {
    const { records, nextOffset } = await fetchRecords(cluster, topics.progress.name, partition, offset, isolation);
    if (nextOffset === offset) break; // behind an open transaction
    for (const record of records) all.push(record);
    offset = nextOffset;
  }
  return all;
}
