import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { defaultSemantics } from "../domain/imu.ts";
import { headers } from "../domain/topics.ts";
import { sensorMachineFactory } from "../processor/adapters/machine-factory.ts";
import { stepAll, type InputRecord } from "../processor/runtime/machine.ts";
import { message, MESSAGE_MS } from "./load.ts";

/** State after some minutes of the log. */
export interface Footprint {
  readonly minute: number;
  /** After a collection. */
  readonly heapMb: number;
  readonly rssMb: number;
  /** Bytes of all snapshot generations that are kept, uncompressed. */
  readonly snapshotMb: number;
  readonly generations: number;
}

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;
const START = 1_657_533_977_000;
const SNAPSHOT_MS = 10_000;
const MAX_GENERATIONS = 60;

/**
 * An hour's worth of traffic through one partition's machine, as fast as it goes, with a tick a second, a snapshot
 * every ten seconds of the log, one message in a hundred late by 20 s and one in a hundred twice. Says what is kept,
 * every ten minutes.
 */
export async function longRun(
  sensors: number,
  minutes: number,
  say: (footprint: Footprint) => void,
): Promise<Footprint[]> {
  const machine = await sensorMachineFactory(defaultSemantics).create({
    partition: 0,
    restored: null,
    failedOffsets: new Map(),
  });
  const load = { partitions: 1, format: "json" } as const;
  const kept = new Map<number, number>();
  const footprints: Footprint[] = [];
  let offset = 0;
  const late: InputRecord[] = [];
  const rounds = (minutes * 60_000) / MESSAGE_MS;
  for (let round = 0; round < rounds; round++) {
    const now = START + round * MESSAGE_MS;
    const records: InputRecord[] = [];
    for (let sensor = 0; sensor < sensors; sensor++) {
      const { key, value } = message(load, sensor, round, now - MESSAGE_MS);
      const record: InputRecord = {
        partition: 0,
        offset: offset++,
        timestamp: now,
        key: Buffer.from(key),
        value,
        headers: {},
      };
      const draw = (sensor * 31 + round * 17) % 100;
      if (draw === 0) late.push(record);
      else records.push(record);
      if (draw === 1) records.push({ ...record, offset: offset++ });
    }
    if (round % 10 === 0)
      records.push({
        partition: 0,
        offset: offset++,
        timestamp: now,
        key: null,
        value: null,
        headers: { [headers.type]: "tick" },
      });
    while (late.length > 0 && late[0]!.timestamp <= now - 20_000)
      records.push({ ...late.shift()!, offset: offset++, timestamp: now });
    await stepAll(machine, records);
    if ((round * MESSAGE_MS) % SNAPSHOT_MS === 0) snapshot(round);
    if (round > 0 && (round * MESSAGE_MS) % 600_000 === 0) footprints.push(footprint(round));
  }
  footprints.push(footprint(rounds));
  return footprints;

  function snapshot(generation: number): void {
    if (kept.size >= MAX_GENERATIONS) machine.rewriteUpTo(kept.keys().next().value!);
    let bytes = 0;
    machine.encodeChanges(generation, ({ key, value }) => (bytes += key.length + value.length));
    kept.set(generation, bytes);
    const live = new Set(machine.liveGenerations());
    for (const old of kept.keys()) if (!live.has(old)) kept.delete(old);
  }

  function footprint(round: number): Footprint {
    collectGarbage();
    const { heapUsed, rss } = process.memoryUsage();
    const found = {
      minute: (round * MESSAGE_MS) / 60_000,
      heapMb: heapUsed / 1e6,
      rssMb: rss / 1e6,
      snapshotMb: [...kept.values()].reduce((sum, bytes) => sum + bytes, 0) / 1e6,
      generations: kept.size,
    };
    say(found);
    return found;
  }
}
