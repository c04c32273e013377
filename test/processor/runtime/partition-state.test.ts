import { describe, expect, test } from "@jest/globals";
import { defaultSemantics } from "../../../domain/semantics.ts";
import { machineFactory } from "../../../processor/adapters/machine-factory.ts";
import { formerFingerprint } from "../../../processor/adapters/settings-before.ts";
import { Writer } from "../../../processor/runtime/codec.ts";
import type { MachineOrigin, StateEntry, StateMachine } from "../../../processor/runtime/machine.ts";
import type { Operator } from "../../../processor/runtime/operator.ts";
import {
  lines,
  machine,
  pipelineOf,
  reading,
  settings,
  Snapshots,
  type TestMessage,
  tick,
  waiting,
  windowsOf,
} from "./pipeline-fixture.ts";

/** Readings of a key, and how often it has gone idle. Emits both with each reading. Survives a switch. */
interface Tally {
  readings: number;
  idles: number;
}

const tally: Operator<Tally, TestMessage> = {
  name: "tally",
  layout: 1,
  create: () => ({ readings: 0, idles: 0 }),
  apply: (state, keyed, _message, _watermark, { out }) =>
    out.json("out", keyed.key, { t: ++state.readings, cause: `idles ${state.idles}` }),
  idle: (state) => void state.idles++,
  adopt: (state) => state,
  encode: ({ readings, idles }, writer) => writer.f64s(Float64Array.of(readings, idles)),
  decode: (reader) => {
    const [readings, idles] = reader.f64s() as unknown as [number, number];
    return { readings, idles };
  },
};

/** Under windows of 1,000 ms the operator `tally` is the first, under others it stands behind another. */
const growing = pipelineOf(({ windowMs }) => (windowMs === 1_000 ? [tally] : [waiting, tally]));

function restoredFrom(entries: Iterable<StateEntry & { readonly generation: number }>): Partial<MachineOrigin> {
  return { restored: { nextOffset: 100, chain: "0-00000000", entries } };
}

/** How many settings a snapshot holds: those in force, and those of keys that wait. */
function settingsIn(one: StateMachine, generation: number): number {
  let task = "";
  one.encodeChanges(generation, ({ key, value }) => {
    if (key === "task") task = Buffer.from(value).toString("latin1");
  });
  return task.split('"windowMs"').length - 1;
}

describe("a switch to other settings", () => {
  test("ends what is open as idle, and continues by name the operators that adopt their state", async () => {
    const one = await machine({}, {}, growing);
    expect(await lines(one, [reading(0, "a", 0)])).toEqual(["a 1 idles 0"]);
    await lines(one, [windowsOf(500, 1)]);
    expect(await lines(one, [reading(2, "a", 10)])).toEqual(["a 2 idles 1"]);
    expect(await lines(one, [tick(3, 1_011)])).toEqual(["a 10 idle"]);
    expect(await lines(one, [reading(4, "a", 1_100)])).toEqual(["a 3 idles 2"]);
  });

  test("is made behind a snapshot by a key that waits, from the operators of its own settings", async () => {
    const [one, snapshots] = [await machine({}, {}, growing), new Snapshots()];
    await lines(one, [reading(0, "a", 0), reading(1, "b", 0), windowsOf(500, 2)]);
    snapshots.write(one, 1);
    const next = await machine({}, snapshots.origin, growing);
    expect(await lines(next, [reading(100, "b", 10), reading(101, "a", 10)])).toEqual(["b 2 idles 1", "a 2 idles 1"]);
  });

  test("passes over keys that have switched before their turn", async () => {
    const one = await machine({ maxSensorsPerStep: 2 });
    await lines(
      one,
      ["a", "b", "c", "d", "e", "f", "g"].map((key, offset) => reading(offset, key, 0)),
    );
    const given = { maxSensorsPerStep: 2 };
    expect(await lines(one, [windowsOf(500, 7, given)])).toEqual(["a 0 settings", "b 0 settings"]);
    // f switches with its own record, and has a reading under the settings in force.
    expect(await lines(one, [reading(8, "f", 10)])).toEqual(["c 0 settings", "d 0 settings", "f 0 settings"]);
    expect(await lines(one, [tick(9, 10)])).toEqual(["e 0 settings", "g 0 settings"]);
  });

  test("keeps in the snapshot the settings that a key is still under, and no others", async () => {
    const one = await machine({ maxSensorsPerStep: 1 });
    await lines(one, [reading(0, "a", 0), reading(1, "b", 0), reading(2, "c", 0)]);
    expect(settingsIn(one, 1)).toBe(1);
    await lines(one, [windowsOf(500, 3)]); // a switches; b and c wait
    expect(settingsIn(one, 2)).toBe(2);
    await lines(one, [windowsOf(250, 4)]); // b switches from the first, to the second; then all wait
    expect(settingsIn(one, 3)).toBe(3);
    await lines(one, [tick(5, 0)]); // c
    expect(settingsIn(one, 4)).toBe(2);
    await lines(one, [tick(6, 0), tick(7, 0)]); // a, b
    expect(settingsIn(one, 5)).toBe(1);
  });

  test("does not move the partition's watermark back", async () => {
    const whole = { watermark: "partition", idleTimeoutMs: 5_000, expiryMs: 9_000 } as const;
    const [one, snapshots] = [await machine(whole), new Snapshots()];
    expect(await lines(one, [reading(0, "a", 0), reading(1, "b", 1_000)])).toEqual(["a 0 watermark"]);
    const longer = windowsOf(500, 2, { ...whole, maxSensorsPerStep: 9, outOfOrdernessMs: 500 });
    expect(await lines(one, [longer])).toEqual(["b 1000 settings"]);
    snapshots.write(one, 1);
    // It stays at 1,000: what ends there is due at once. 1,200 − 500 would be less.
    for (const each of [await machine(whole, snapshots.origin), one])
      expect(await lines(each, [reading(100, "c", 1_200), reading(101, "a", 0)])).toEqual(["a 0 watermark"]);
  });
});

describe("a restored state", () => {
  test("fires what is due by the partition's watermark, whichever key moves it", async () => {
    const whole = { watermark: "partition", idleTimeoutMs: 5_000, expiryMs: 9_000 } as const;
    const [one, snapshots] = [await machine(whole), new Snapshots()];
    await lines(one, [reading(0, "a", 0), reading(1, "c", 300)]);
    snapshots.write(one, 1);
    const next = await machine(whole, snapshots.origin);
    expect(await lines(next, [reading(100, "b", 1_000)])).toEqual(["a 0 watermark"]);
  });

  test("of operators that stand in another order now is that of their names", async () => {
    const [one, snapshots] = [
      await machine(
        {},
        {},
        pipelineOf(() => [waiting, tally]),
      ),
      new Snapshots(),
    ];
    await lines(one, [reading(0, "a", 0)]);
    snapshots.write(one, 1);
    const next = await machine(
      {},
      snapshots.origin,
      pipelineOf(() => [tally, waiting]),
    );
    expect(await lines(next, [reading(100, "a", 10)])).toEqual(["a 2 idles 0"]);
    next.flush();
    expect((await lines(next, [])).toSorted()).toEqual(["a 0 end-of-input", "a 10 end-of-input"]);
  });

  test("has a fresh state of an operator that is new, and is refused with one that is gone", async () => {
    const [one, snapshots] = [
      await machine(
        {},
        {},
        pipelineOf(() => [tally]),
      ),
      new Snapshots(),
    ];
    await lines(one, [reading(0, "a", 0)]);
    snapshots.write(one, 1);
    const next = await machine(
      {},
      snapshots.origin,
      pipelineOf(() => [waiting, tally]),
    );
    expect(await lines(next, [reading(100, "a", 10), tick(101, 1_011)])).toEqual(["a 2 idles 0", "a 10 idle"]);
    await expect(
      machine(
        {},
        snapshots.origin,
        pipelineOf(() => [waiting]),
      ),
    ).rejects.toMatchObject({
      code: "state-layout-unknown",
      message: expect.stringMatching(/operators that this pipeline does not have: tally\. Run `npm run recover`/),
    });
  });

  test("of a pipeline without asynchronous work gives it nothing to take back", async () => {
    const [one, snapshots] = [await machine(), new Snapshots()];
    await lines(one, [reading(0, "a", 0)]);
    snapshots.write(one, 1);
    const pipeline = pipelineOf(() => [waiting]);
    const asyncWork = {
      mustSettle: false,
      settle: () => Promise.resolve(null),
      encode: () => "",
      restore: () => Promise.reject(new Error("there is nothing to restore")),
    };
    await machine({}, snapshots.origin, { ...pipeline, open: () => ({ ...pipeline.open(), asyncWork }) });
  });

  test("of a layout of an operator that is not known is refused", async () => {
    const [one, snapshots] = [
      await machine(
        {},
        {},
        pipelineOf(() => [{ ...tally, layout: 2 }]),
      ),
      new Snapshots(),
    ];
    await lines(one, [reading(0, "a", 0)]);
    snapshots.write(one, 1);
    await expect(
      machine(
        {},
        snapshots.origin,
        pipelineOf(() => [tally]),
      ),
    ).rejects.toThrow("the snapshot's state of tally has layout 2; this version reads 1 to 1");
  });

  test("with a key under settings that it does not have is refused", async () => {
    const [one, snapshots] = [await machine(), new Snapshots()];
    await lines(one, [reading(0, "a", 0)]);
    snapshots.write(one, 1);
    const [before] = snapshots.generations.get(1)!;
    await lines(one, [windowsOf(500, 1)]);
    snapshots.write(one, 2);
    const entries = [...snapshots.generations.get(2)!.slice(1), before!];
    await expect(
      machine({}, restoredFrom(entries.map((entry) => ({ ...entry, generation: 2 })))),
    ).rejects.toMatchObject({
      code: "snapshot-corrupt",
      message: expect.stringMatching(
        /^the snapshot's state of "a" is under settings that it does not have \(1\)\. Run/,
      ),
    });
  });

  test("has the newest entry of its task and of each key", async () => {
    const [one, snapshots] = [await machine(), new Snapshots()];
    await lines(one, [reading(0, "a", 0), reading(1, "b", 0)]);
    snapshots.write(one, 1);
    await lines(one, [reading(2, "a", 20)]);
    snapshots.write(one, 2);
    // Generation 1 still has the task's entry of then: its clock was at 0.
    const next = await machine({}, snapshots.origin);
    expect(next.liveGenerations()).toEqual([1, 2]);
    expect(await lines(next, [tick(100, 1_001)])).toEqual(["b 0 idle"]);
    expect(await lines(next, [tick(101, 1_021)])).toEqual(["a 0 idle", "a 20 idle"]);
  });
});

/** The task's entry in layout 1: its clocks are at `clock`. */
function taskLayout1(clock: number): Buffer {
  const writer = new Writer();
  writer.u8(1);
  for (const value of [clock, clock, clock]) writer.f64(value);
  writer.text("");
  return writer.take();
}

/** A key's entry in layout 2, with a time of 8,000. Presence 2 is expired, 3 silent. */
function keyLayout2(presence: 2 | 3, finalUpTo: number, foundSilentAt: number): Buffer {
  const writer = new Writer();
  writer.u8(2);
  for (const value of [5, 8_000, 8_500]) writer.f64(value);
  writer.u8(presence);
  for (const value of [finalUpTo, 6, foundSilentAt]) writer.f64(value);
  writer.section(() => undefined);
  writer.u8(presence === 2 ? 0 : 1);
  if (presence === 2) return writer.take();
  writer.text("waiting");
  writer.u8(1);
  writer.section(() => writer.f64s(Float64Array.of(8_000)));
  return writer.take();
}

test("a key of layout 2 keeps what was final and its place among the silent", async () => {
  const origin = restoredFrom([
    { generation: 1, key: "task", value: taskLayout1(10_000) },
    { generation: 1, key: "key/a", value: keyLayout2(3, 4_000, 9) },
    { generation: 1, key: "key/b", value: keyLayout2(3, 3_000, 7) },
  ]);
  const one = await machine({ maxSensorsPerStep: 1, outOfOrdernessMs: 300 }, origin);
  for (const record of [tick(100, 10_000), tick(101, 10_000)]) one.step(record);
  const fired = (await one.settle()).map(
    ({ key, value }) => [Buffer.from(key!).toString(), JSON.parse(Buffer.from(value!).toString())] as const,
  );
  expect(fired).toEqual([
    ["b", expect.objectContaining({ t: 8_000, cause: "idle", watermark: 7_700, finalUpTo: 3_000 })],
    ["a", expect.objectContaining({ t: 8_000, cause: "idle", watermark: 7_700, finalUpTo: 4_000 })],
  ]);
});

describe("state from before settings stood in the log", () => {
  const formerly = { ...defaultSemantics, earliestTimeMs: 0, idleTimeoutMs: 700 };
  const before = formerFingerprint(formerly);
  const factory = machineFactory(
    pipelineOf(() => [waiting]),
    { initial: settings, formerly },
  );
  const created = async (restored: MachineOrigin["restored"]): Promise<StateMachine> =>
    factory.create({ partition: 0, restored, failures: new Map(), before });

  test("runs on those that its fingerprint names, with a snapshot of then or with none", async () => {
    const task = { generation: 1, key: "task", value: taskLayout1(0) };
    const tombstone = { generation: 1, key: "key/a", value: keyLayout2(2, 0, 0) };
    for (const restored of [null, restoredFrom([task, tombstone]).restored!]) {
      const one = await created(restored);
      const at = restored ? 100 : 0;
      expect(await lines(one, [reading(at, "b", 0), tick(at + 1, 700)])).toEqual([]);
      expect(await lines(one, [tick(at + 2, 701)])).toEqual(["b 0 idle"]);
    }
  });

  test("runs on the settings of its snapshot once that has some", async () => {
    const [one, snapshots] = [await machine(), new Snapshots()];
    await lines(one, [reading(0, "a", 0)]);
    snapshots.write(one, 1);
    const entries = snapshots.generations.get(1)!.map((entry) => ({ ...entry, generation: 1 }));
    for (const inOrder of [entries, entries.toReversed()]) {
      const next = await created(restoredFrom(inOrder).restored!);
      expect(await lines(next, [tick(100, 1_000)])).toEqual([]);
      expect(await lines(next, [tick(101, 1_001)])).toEqual(["a 0 idle"]);
    }
  });
});

describe("a rewrite of old generations", () => {
  test("writes the keys again whose newest entry is that old, and no others", async () => {
    const [one, snapshots] = [await machine(), new Snapshots()];
    await lines(one, [reading(0, "a", 0)]);
    snapshots.write(one, 1);
    await lines(one, [reading(1, "b", 0)]);
    snapshots.write(one, 2);
    await lines(one, [reading(2, "c", 0)]);
    snapshots.write(one, 3);
    one.rewriteUpTo(2);
    expect(snapshots.write(one, 4)).toEqual(["task", "key/a", "key/b"]);
    expect(one.liveGenerations()).toEqual([3, 4]);
  });

  test("keeps saying that a key is forgotten while an older generation may have it", async () => {
    const [one, snapshots] = [await machine(), new Snapshots()];
    await lines(one, [reading(0, "a", 0)]);
    snapshots.write(one, 1);
    await lines(one, [tick(1, 1_001), tick(2, 3_001), tick(3, 5_001)]);
    // Forgotten, and not written yet.
    one.rewriteUpTo(5);
    expect(snapshots.write(one, 2)).toEqual(["task", "key/a"]);
    one.rewriteUpTo(1);
    snapshots.write(one, 3);
    expect(one.liveGenerations()).toEqual([2, 3]);
    one.rewriteUpTo(2);
    snapshots.write(one, 4);
    expect(one.liveGenerations()).toEqual([4]);
  });

  test("is not needed for a key that was never written and is forgotten", async () => {
    const [one, snapshots] = [await machine(), new Snapshots()];
    await lines(one, [reading(0, "a", 0), tick(1, 1_001), tick(2, 3_001), tick(3, 5_001)]);
    expect(snapshots.write(one, 1)).toEqual(["task"]);
  });
});
