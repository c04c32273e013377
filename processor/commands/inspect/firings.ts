import type { Cluster } from "kafkajs";
import { partitionBounds } from "../../../adapters/kafka-cluster.ts";
import { newestFirst } from "../../../adapters/read-partition.ts";
import { readRecordId } from "../../../domain/records.ts";
import type { EpochMs } from "../../../domain/time.ts";
import type { OutputRecord } from "../../runtime/machine.ts";
import type { WantedWindow } from "./arguments.ts";

/** Records of a windows' topic that are looked at for the last firing, the newest ones. */
export const MAX_LOOKED_AT = 50_000;

/** A firing of a window. */
export interface Firing {
  readonly id: string;
  readonly revision: number;
  readonly cause: string;
  readonly count: number;
  /** Offset of the input record in whose step it fired. */
  readonly offset: number;
  /** When its record was written; null for one that the task has not committed yet. */
  readonly at: EpochMs | null;
}

interface WindowRecordFields {
  readonly id: string;
  readonly operator: string;
  readonly window: { readonly start: EpochMs };
  readonly revision: number;
  readonly cause: string;
  readonly count: number;
}

/** The newest firing of a window in its topic; null where none is among the newest records. */
export async function lastFiring(
  cluster: Cluster,
  topic: string,
  partition: number,
  key: string,
  wanted: WantedWindow,
): Promise<Firing | null> {
  const { earliest, latest } = await partitionBounds(cluster, topic, partition);
  const bytes = Buffer.from(key);
  const range = { from: Math.max(earliest, latest - MAX_LOOKED_AT), to: latest };
  for await (const record of newestFirst(cluster, topic, partition, range)) {
    if (record.key === null || !bytes.equals(record.key)) continue;
    const firing = firingOf(record.value, wanted, record.timestamp);
    if (firing) return firing;
  }
  return null;
}

/** The firings of a window among outputs that the task has not committed yet, oldest first. */
export function firingsIn(
  outputs: readonly OutputRecord[],
  topic: string,
  wanted: WantedWindow,
  committed: number | null,
): Firing[] {
  return outputs
    .filter((output) => output.topic === topic)
    .flatMap(({ value }) => firingOf(value, wanted, null) ?? [])
    .filter(({ offset }) => offset >= (committed ?? 0));
}

function firingOf(value: Uint8Array | null, wanted: WantedWindow, at: EpochMs | null): Firing | null {
  if (value === null) return null;
  const fields = JSON.parse(Buffer.from(value).toString("utf8")) as WindowRecordFields;
  if (fields.operator !== wanted.operator || fields.window.start !== wanted.start) return null;
  const { id, revision, cause, count } = fields;
  return { id, revision, cause, count, offset: readRecordId(id)?.position.offset ?? -1, at };
}
