import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { defaultSemantics } from "../domain/semantics.ts";
import { headers } from "../domain/topics.ts";
import { sensorMachineFactory } from "../processor/adapters/machine-factory.ts";
import { stepAll, type InputRecord } from "../processor/runtime/machine.ts";
import { message, MESSAGE_MS } from "./load.ts";

/** Memory and snapshots after some minutes of the log. */
export interface Footprint {
  readonly minute: number;
  /** After a garbage collection. */
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
const FOOTPRINT_MS = 600_000;
const TICK_MS = 1_000;
const LATE_BY_MS = 20_000;

/**
 * Sends traffic through one partition's machine, as fast as possible. The log has a tick per second and a snapshot
 * every ten seconds. One message in a hundred is late by 20 s, and one in a hundred is a duplicate.
 *
 * @param minutes Length of the log.
 * @param onFootprint Called for every ten minutes of the log, and at its end.
 */
export async function longRun(
  sensors: number,
  minutes: number,
  onFootprint: (footprint: Footprint) => void,
): Promise<Footprint[]> {
  const machine = await sensorMachineFactory(defaultSemantics).create({
    partition: 0,
    restored: null,
    failures: new Map(),
  });
  /** Bytes of each snapshot generation that is kept. */
  const kept = new Map<number, number>();
  const footprints: Footprint[] = [];
  const rounds = (minutes * 60_000) / MESSAGE_MS;
  let round = 0;
  for (const records of traffic(sensors, rounds)) {
    await stepAll(machine, records);
    if ((round * MESSAGE_MS) % SNAPSHOT_MS === 0) snapshot(round);
    if (round > 0 && (round * MESSAGE_MS) % FOOTPRINT_MS === 0) footprints.push(footprint(round));
    round++;
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
    onFootprint(found);
    return found;
  }
}

/** The records of each round of `MESSAGE_MS`: one message per sensor, duplicates, late messages, and ticks. */
function* traffic(sensors: number, rounds: number): Generator<InputRecord[]> {
  const load = { partitions: 1, format: "json" } as const;
  const late: InputRecord[] = [];
  let offset = 0;
  for (let round = 0; round < rounds; round++) {
    const now = START + round * MESSAGE_MS;
    const common = { partition: 0, timestamp: now };
    const records: InputRecord[] = [];
    for (let sensor = 0; sensor < sensors; sensor++) {
      const { key, value } = message(load, sensor, round, now - MESSAGE_MS);
      const record: InputRecord = { ...common, offset: offset++, key: Buffer.from(key), value, headers: {} };
      const draw = (sensor * 31 + round * 17) % 100;
      if (draw === 0) late.push(record);
      else records.push(record);
      if (draw === 1) records.push({ ...record, offset: offset++ });
    }
    if ((round * MESSAGE_MS) % TICK_MS === 0)
      records.push({ ...common, offset: offset++, key: null, value: null, headers: { [headers.type]: "tick" } });
    while (late.length > 0 && late[0]!.timestamp <= now - LATE_BY_MS)
      records.push({ ...late.shift()!, offset: offset++, timestamp: now });
    yield records;
  }
}
