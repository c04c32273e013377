import { expect, test } from "@jest/globals";
import { createLogger } from "../../../adapters/log.ts";
import type { EngineObserver, Manifest, Progress, SnapshotStore } from "../../../processor/engine/ports.ts";
import { quietObserver } from "../../../processor/engine/quiet-observer.ts";
import { Snapshots } from "../../../processor/engine/snapshots.ts";
import type { StateMachine } from "../../../processor/runtime/machine.ts";
import { countingMachineFactory } from "./counting-machine.ts";
import { append, emptyWorld } from "./one-task.ts";
import { SOURCE, type World } from "./simulated/world.ts";

const TASK = `count/${SOURCE}/0`;
const quiet = quietObserver(createLogger("test", "silent"));

/** A claimed manifest in a world, and a machine that has counted three records. */
async function claimed(observer: Partial<EngineObserver> = {}) {
  const world = emptyWorld();
  const process = world.kernel.process("p");
  const store = world.ports(process, 0).snapshots;
  const runtime = world.runtime(process);
  const snapshots = await world.until(Snapshots.claim(store, TASK, runtime, { ...quiet, ...observer }));
  const machine = await countingMachineFactory(SOURCE).create({ partition: 0, restored: null, failures: new Map() });
  append(world, ["x", "x", "x"]);
  for (const record of world.partitions[0]!.input) machine.step(record);
  return { world, store, runtime, snapshots, machine };
}

const progressOf = ({ nextOffset, chain }: StateMachine): Progress => ({
  nextOffset,
  origin: 0,
  fingerprint: "v1",
  chain,
  failed: [],
});
const manifestOf = (world: World): Manifest => world.table.manifests.get(TASK)!;

test("a manifest that others write between every read and claim is given up after eight attempts", async () => {
  const { world, store, runtime } = await claimed();
  let reads = 0;
  const contested: SnapshotStore = {
    readManifest: (task) => {
      reads++;
      return store.readManifest(task);
    },
    writeManifest: () => Promise.resolve(false),
    putSegment: () => Promise.resolve(),
    getSegment: () => Promise.resolve(null),
    deleteSegment: () => Promise.resolve(),
  };
  await expect(world.until(Snapshots.claim(contested, TASK, runtime, quiet))).rejects.toThrow(
    `${TASK}: others wrote the manifest between reading and claiming it 8 times`,
  );
  expect(reads).toBe(8);
});

test("a snapshot waits for the table: first 0.2 s, then twice as long each time, at most 10 s", async () => {
  const warnings: [number, string, unknown][] = [];
  const written: object[] = [];
  const { world, snapshots, machine } = await claimed({
    log: (level, { task, generation }, message) =>
      warnings.push([Math.floor(world.kernel.now), `${level} ${message}`, { task, generation }]),
    snapshotWritten: (_task, facts) => written.push(facts),
  });
  world.kernel.maxDelayMs = 0;
  world.kernel.plan = (_process, point) => (point === "segment:put" ? "error-before" : null);
  const from = world.kernel.now;
  const writing = snapshots.write(snapshots.capture(machine), progressOf(machine));
  await world.kernel.run(from + 40_000, () => false);
  expect(snapshots.idle).toBe(false);
  world.kernel.plan = () => null;
  await world.until(writing);
  const times = warnings.map(([at]) => at - Math.floor(from));
  expect(times).toEqual([0, 200, 600, 1_400, 3_000, 6_200, 12_600, 22_600, 32_600]);
  expect(new Set(warnings.map(([, message]) => message))).toEqual(
    new Set(["warn a snapshot could not be written; trying again"]),
  );
  expect(warnings[0]![2]).toEqual({ task: TASK, generation: 1 });
  expect(snapshots.idle).toBe(true);
  const { segments, covers } = manifestOf(world);
  expect(covers).toEqual({ nextOffset: 3, origin: 0, fingerprint: "v1", chain: machine.chain });
  expect(segments).toMatchObject([{ generation: 1, parts: 1 }]);
  expect(written).toEqual([{ bytes: segments[0]!.bytes, milliseconds: 42_600 }]);
});

test("a segment that is gone is named", async () => {
  const { world, snapshots, machine } = await claimed();
  await world.until(snapshots.write(snapshots.capture(machine), progressOf(machine)));
  world.table.segments.clear();
  await expect(world.until(snapshots.load())).rejects.toMatchObject({
    code: "snapshot-corrupt",
    message: expect.stringContaining("segment 0 of generation 1 is missing or does not match its checksum"),
  });
});

/** The store, and what was read from it. */
function counted(store: SnapshotStore): { readonly store: SnapshotStore; readonly asked: string[] } {
  const asked: string[] = [];
  const counting: SnapshotStore = {
    readManifest: (task) => {
      asked.push("manifest");
      return store.readManifest(task);
    },
    getSegment: (task, key) => {
      asked.push(`${key.generation}/${key.part}`);
      return store.getSegment(task, key);
    },
    writeManifest: (...write) => store.writeManifest(...write),
    putSegment: (...put) => store.putSegment(...put),
    deleteSegment: (...key) => store.deleteSegment(...key),
  };
  return { store: counting, asked };
}

test("a snapshot that was read ahead is not read again under a claim that finds the same manifest", async () => {
  const { world, store, runtime, snapshots, machine } = await claimed();
  await world.until(snapshots.write(snapshots.capture(machine), progressOf(machine)));
  const { store: counting, asked } = counted(store);
  const ahead = await world.until(Snapshots.readAhead(counting, TASK, runtime));
  const next = await world.until(Snapshots.claim(counting, TASK, runtime, quiet, ahead));
  expect(manifestOf(world)).toEqual(next.manifest);
  expect(next.manifest).toMatchObject({ version: 3, covers: { nextOffset: 3 } });
  const entries = [...(await world.until(next.load()))];
  expect(asked).toEqual(["manifest", "1/0"]);
  // Loaded again, as after a failed step, it is read again.
  expect([...(await world.until(next.load()))]).toEqual(entries);
  expect(asked).toEqual(["manifest", "1/0", "1/0"]);
});

test("what was read ahead does not count when the manifest has changed since", async () => {
  const { world, store, runtime, snapshots, machine } = await claimed();
  await world.until(snapshots.write(snapshots.capture(machine), progressOf(machine)));
  const ahead = await world.until(Snapshots.readAhead(store, TASK, runtime));
  // The owner before writes another snapshot between the reading and the claim, and drops the segment that was read.
  for (const offset of [3, 4, 5]) machine.step({ ...world.partitions[0]!.input[0]!, offset });
  machine.rewriteUpTo(1);
  await world.until(snapshots.write(snapshots.capture(machine), progressOf(machine)));
  const next = await world.until(Snapshots.claim(store, TASK, runtime, quiet, ahead));
  expect(next.manifest).toMatchObject({
    covers: { nextOffset: 6, chain: machine.chain },
    segments: [{ generation: 2 }],
  });
  const entries = [...(await world.until(next.load()))];
  const whole: unknown[] = [];
  machine.rewriteUpTo(2);
  machine.encodeChanges(2, ({ key, value }) => whole.push({ generation: 2, key, value: Buffer.from(value) }));
  expect(entries).toEqual(whole);
});

test("what was read ahead does not count for a snapshot that was written since", async () => {
  const { world, store, runtime, machine } = await claimed();
  const ahead = await world.until(Snapshots.readAhead(store, TASK, runtime));
  const next = await world.until(Snapshots.claim(store, TASK, runtime, quiet, ahead));
  await world.until(next.write(next.capture(machine), progressOf(machine)));
  expect([...(await world.until(next.load()))].length).toBeGreaterThan(0);
});

test("what can't be read ahead is read under the claim, and named there", async () => {
  const { world, store, runtime, snapshots, machine } = await claimed();
  await world.until(snapshots.write(snapshots.capture(machine), progressOf(machine)));
  world.kernel.plan = (_process, point) => (point === "segment:get" ? "error-before" : null);
  const ahead = await world.until(Snapshots.readAhead(store, TASK, runtime));
  expect(await world.until(ahead!.chunks)).toBe(null);
  world.kernel.plan = () => null;
  const next = await world.until(Snapshots.claim(store, TASK, runtime, quiet, ahead));
  expect([...(await world.until(next.load()))].length).toBeGreaterThan(0);

  world.kernel.plan = (_process, point) => (point === "manifest:read" ? "error-before" : null);
  expect(await world.until(Snapshots.readAhead(store, TASK, runtime))).toBe(null);
});

test("a manifest of an older layout keeps it under a claim, until the next snapshot", async () => {
  const { world, store, runtime, snapshots, machine } = await claimed();
  await world.until(snapshots.write(snapshots.capture(machine), progressOf(machine)));
  world.table.manifests.set(TASK, { ...manifestOf(world), layout: 1 });
  const next = await world.until(Snapshots.claim(store, TASK, runtime, quiet));
  expect(manifestOf(world)).toMatchObject({ owner: next.manifest.owner, layout: 1 });
  machine.step({ ...world.partitions[0]!.input[0]!, offset: 3 });
  await world.until(next.write(next.capture(machine), progressOf(machine)));
  expect(manifestOf(world)).toMatchObject({ layout: 2, segments: [{ generation: 1 }, { generation: 2 }] });
});

test("a snapshot under a manifest that another has claimed is not written, and what was there stays", async () => {
  const { world, store, runtime, snapshots, machine } = await claimed();
  await world.until(snapshots.write(snapshots.capture(machine), progressOf(machine)));
  await world.until(Snapshots.claim(store, TASK, runtime, quiet));
  const before = manifestOf(world);
  machine.step({ ...world.partitions[0]!.input[0]!, offset: 3 });
  const late = snapshots.write(snapshots.capture(machine), progressOf(machine));
  await expect(world.until(late)).rejects.toMatchObject({
    code: "outcome-unknown",
    message: `${TASK}: another owner has claimed the snapshot manifest, so this one may have been fenced`,
  });
  await expect(world.until(snapshots.forget())).rejects.toMatchObject({ code: "outcome-unknown" });
  expect(manifestOf(world)).toEqual(before);
});

test("a segment that no generation needs is deleted; one that can't be is left behind, and logged", async () => {
  const logged: unknown[] = [];
  const { world, snapshots, machine } = await claimed({
    log: (level, fields, message) => logged.push([level, message, fields["generation"]]),
  });
  const write = async (): Promise<void> => {
    machine.rewriteUpTo(99);
    await world.until(snapshots.write(snapshots.capture(machine), progressOf(machine)));
    await world.kernel.run(world.kernel.now + 100, () => false);
  };
  await write();
  await write();
  expect([...world.table.segments.keys()].map((key) => key.split("/").slice(-2))).toEqual([["2", "0"]]);
  world.kernel.plan = (_process, point) => (point === "segment:delete" ? "error-before" : null);
  await write();
  expect(logged).toEqual([["debug", "a dropped segment could not be deleted", 2]]);
  expect(manifestOf(world).segments.map(({ generation }) => generation)).toEqual([3]);
});

test("a manifest whose answer was lost is not written twice", async () => {
  const { world, snapshots, machine } = await claimed();
  let lost = false;
  world.kernel.plan = (_process, point) => {
    if (lost || point !== "manifest:write") return null;
    lost = true;
    return "error-after";
  };
  const before = manifestOf(world).version;
  await world.until(snapshots.write(snapshots.capture(machine), progressOf(machine)));
  expect(manifestOf(world)).toMatchObject({ version: before + 1, covers: { nextOffset: 3 } });
  expect(snapshots.manifest).toEqual(manifestOf(world));
});

test("a manifest that was given up while its write was under way is written over by the next", async () => {
  const written: number[] = [];
  const { world, snapshots, machine } = await claimed({ snapshotWritten: () => written.push(machine.nextOffset) });
  const first = snapshots.write(snapshots.capture(machine), progressOf(machine));
  await world.kernel.run(Infinity, () => manifestOf(world).covers !== null);
  snapshots.giveUp();
  expect(snapshots.idle).toBe(true);
  machine.step({ ...world.partitions[0]!.input[0]!, offset: 3 });
  machine.rewriteUpTo(1);
  await world.until(Promise.all([first, snapshots.write(snapshots.capture(machine), progressOf(machine))]));
  expect(written).toEqual([4]);
  expect(manifestOf(world).covers?.nextOffset).toBe(4);
  expect(snapshots.manifest).toEqual(manifestOf(world));
});

test("a snapshot whose transaction is committed only after the life ended is not written", async () => {
  const { world, store, runtime, snapshots, machine } = await claimed();
  world.kernel.plan = (_process, point) => (point === "segment:put" ? "error-after" : null);
  const first = snapshots.write(snapshots.capture(machine), progressOf(machine));
  machine.step({ ...world.partitions[0]!.input[0]!, offset: 3, key: Buffer.from("y") });
  const second = snapshots.capture(machine);
  await world.kernel.run(world.kernel.now + 5_000, () => false);
  snapshots.giveUp();
  world.kernel.plan = () => null;
  await world.until(Promise.all([first, snapshots.write(second, progressOf(machine))]));
  await world.kernel.run(world.kernel.now + 20_000, () => false);
  // It has the state of key y alone: a manifest that names it would lack that of key x.
  expect(manifestOf(world)).toMatchObject({ covers: null, segments: [] });
  expect(snapshots.idle).toBe(true);
  const next = await world.until(Snapshots.claim(store, TASK, runtime, quiet));
  expect([...(await world.until(next.load()))]).toEqual([]);
});
