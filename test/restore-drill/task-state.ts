import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { createLogger } from "../../adapters/log.ts";
import { dynamoTableName, taskKey } from "../../domain/names.ts";
import { LOCAL_ENVIRONMENT } from "../../local/programs.ts";
import { DynamoSnapshots } from "../../processor/adapters/dynamo-snapshots.ts";
import { rawLakeRecords } from "../../processor/adapters/raw-lake.ts";
import { systemRuntime } from "../../processor/adapters/runtime.ts";
import { Replay } from "../../processor/commands/replay/replay.ts";
import { quietObserver } from "../../processor/engine/quiet-observer.ts";
import { Snapshots } from "../../processor/engine/snapshots.ts";
import type { KnownRecord, MachineFactory } from "../../processor/runtime/machine.ts";
import { isForgotten, KEYED_PREFIX } from "../../processor/runtime/partition-state.ts";
import type { Contents } from "./contents.ts";

/** Tasks' states as their snapshots have them, and the offsets that these cover, by partition. */
export interface KeptState {
  readonly contents: Contents;
  readonly nextOffsets: ReadonlyMap<number, number>;
}

/** Reads the newest snapshots of a log's tasks. */
export async function snapshotsIn(
  dynamodb: DynamoDBClient,
  { pipeline, log }: MachineFactory,
  partitions: number,
): Promise<KeptState> {
  const store = new DynamoSnapshots(dynamodb, dynamoTableName(LOCAL_ENVIRONMENT, "checkpoints"));
  const observer = quietObserver(createLogger("restore-drill", "error"));
  const contents = new Map<string, string>();
  const nextOffsets = new Map<number, number>();
  for (let partition = 0; partition < partitions; partition++) {
    const task = taskKey(pipeline, log, partition);
    const manifest = await store.readManifest(task);
    if (!manifest?.covers) continue;
    nextOffsets.set(partition, manifest.covers.nextOffset);
    for (const { key, value } of await Snapshots.of(store, task, systemRuntime, observer, manifest).load())
      take(contents, partition, key, value);
  }
  return { contents, nextOffsets };
}

/** The same states, rebuilt from the lake's records below those offsets. */
export async function statesFromLake(
  lakeDir: string,
  factory: MachineFactory,
  { nextOffsets }: KeptState,
): Promise<Contents> {
  const records = async function* (): AsyncGenerator<KnownRecord> {
    for await (const record of rawLakeRecords(lakeDir, factory.sourceTopic, factory.log, () => undefined))
      if (record.offset < (nextOffsets.get(record.partition) ?? 0)) yield record;
  };
  const replay = new Replay(factory, records, () => Promise.resolve());
  await replay.run(false);
  const contents = new Map<string, string>();
  for (const [partition, entries] of replay.states())
    for (const { key, value } of entries) take(contents, partition, key, value);
  return contents;
}

/** A later entry replaces an earlier one. A key that was forgotten has none in a state that never wrote it. */
function take(contents: Map<string, string>, partition: number, key: string, value: Uint8Array): void {
  const name = `state ${partition} ${key}`;
  if (key.startsWith(KEYED_PREFIX) && isForgotten(value)) contents.delete(name);
  else contents.set(name, Buffer.from(value).toString("base64"));
}
