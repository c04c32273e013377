import { randomUUID } from "node:crypto";
import type { Kafka } from "kafkajs";
import { withIdempotentProducer } from "../../../adapters/control-records.ts";
import type { Logger } from "../../../adapters/log.ts";
import { CHANGE_HEADER, ERASE_HEADER } from "../../../domain/controls.ts";
import { taskKey } from "../../../domain/names.ts";
import { controlTypes, headers as headerNames } from "../../../domain/topics.ts";
import { systemRuntime } from "../../adapters/runtime.ts";
import type { SnapshotStore } from "../../engine/ports.ts";
import { quietObserver } from "../../engine/quiet-observer.ts";
import { Snapshots } from "../../engine/snapshots.ts";
import type { MachineFactory } from "../../runtime/machine.ts";

/**
 * Appends an `erase` record to each partition, and gives their offsets. Nothing goes to `millrace-changes`, which is
 * kept for ever. A command that is interrupted is given again, which erases again.
 */
export async function appendErase(
  kafka: Kafka,
  topic: string,
  partitions: number,
  sensorId: string,
): Promise<ReadonlyMap<number, number>> {
  const headers = {
    [headerNames.type]: controlTypes.erase,
    [CHANGE_HEADER]: `erase-${randomUUID()}`,
    [ERASE_HEADER]: sensorId,
  };
  const offsets = new Map<number, number>();
  await withIdempotentProducer(kafka, async (producer) => {
    for (let partition = 0; partition < partitions; partition++) {
      const messages = [{ partition, key: null, value: null, headers }];
      const [written] = await producer.send({ topic, acks: -1, messages });
      offsets.set(partition, Number(written!.baseOffset));
    }
  });
  return offsets;
}

/** What a task's newest snapshot says. */
export interface SnapshotContent {
  /** It covers the offsets below. 0 where there is none. */
  readonly nextOffset: number;
  /** Its entries that name the key. */
  readonly entries: number;
}

/** Reads a task's newest snapshot; null where a newer one took its place meanwhile. */
export async function snapshotContent(
  store: SnapshotStore,
  { pipeline, log }: MachineFactory,
  partition: number,
  key: string,
  logger: Logger,
): Promise<SnapshotContent | null> {
  const task = taskKey(pipeline, log, partition);
  const manifest = await store.readManifest(task);
  if (!manifest?.covers) return { nextOffset: 0, entries: 0 };
  const { version } = manifest;
  try {
    const loaded = await Snapshots.of(store, task, systemRuntime, quietObserver(logger), manifest).load();
    // `key/<key>`, and `<operator>/<key>/<item>`
    const entries = [...loaded].filter((entry) => entry.key.split("/")[1] === key).length;
    return { nextOffset: manifest.covers.nextOffset, entries };
  } catch (error) {
    if ((await store.readManifest(task))?.version === version) throw error;
    return null;
  }
}
