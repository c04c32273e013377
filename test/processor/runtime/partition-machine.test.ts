import { describe, expect, test } from "@jest/globals";
import { MillraceError } from "../../../domain/errors.ts";
import { Writer } from "../../../processor/runtime/codec.ts";
import { type Failure, failureId, type MachineOrigin, StepFailed } from "../../../processor/runtime/machine.ts";
import type { PartitionMachine } from "../../../processor/runtime/partition-machine.ts";
import { lines, machine, pipelineOf, reading, Snapshots, tick, waiting, windowsOf } from "./pipeline-fixture.ts";

function failures(...list: Failure[]): ReadonlyMap<string, Failure> {
  return new Map(list.map((failure) => [failureId(failure), failure]));
}

function thrownBy(work: () => void): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe("a step", () => {
  test("is refused while the asynchronous work of the one before is not settled", async () => {
    let mustSettle = false;
    const pipeline = pipelineOf(() => [waiting]);
    const asyncWork = {
      get mustSettle() {
        return mustSettle;
      },
      settle: () => Promise.resolve(null),
      encode: () => "",
      restore: () => Promise.resolve(),
    };
    const one = await machine({}, {}, { ...pipeline, open: () => ({ ...pipeline.open(), asyncWork }) });
    one.step(tick(3, 0));
    mustSettle = true;
    expect(() => one.step(tick(4, 0))).toThrow("settle before offset 4: the step before it waits for that");
    mustSettle = false;
    one.step(tick(4, 0));
    expect(one.nextOffset).toBe(5);
  });

  test("is refused below the next offset", async () => {
    const one = await machine();
    one.step(tick(4, 0));
    expect(() => one.step(tick(4, 0))).toThrow("offset 4 was stepped already: next is 5");
  });

  test("of a control record of an unknown type is refused, with its place and type", async () => {
    const one = await machine();
    const error = thrownBy(() => one.step(tick(7, 0, "surprise"))) as MillraceError;
    expect([error.code, error.message]).toEqual([
      "control-unknown",
      expect.stringMatching(/offset 7 .*"surprise".*Run the version/),
    ]);
    expect(one.nextOffset).toBe(0);
  });

  test("without a type is a tick", async () => {
    const one = await machine();
    expect(await lines(one, [{ ...tick(0, 5), headers: {} }])).toEqual([]);
  });
});

describe("settings", () => {
  test("a key that still waits for its switch switches before its own record, beyond what a step may", async () => {
    const one = await machine({ maxSensorsPerStep: 1 });
    await lines(one, [reading(0, "a", 0), reading(1, "b", 0), reading(2, "c", 0)]);
    expect(await lines(one, [windowsOf(500, 3)])).toEqual(["a 0 settings"]);
    expect(await lines(one, [reading(4, "c", 10)])).toEqual(["b 0 settings", "c 0 settings"]);
    expect(await lines(one, [tick(5, 1_011), tick(6, 1_011), tick(7, 1_011)])).toEqual(["c 10 idle"]);
  });

  test("keys of the oldest settings switch first, in byte order, also behind a snapshot", async () => {
    const [one, snapshots] = [await machine({ maxSensorsPerStep: 1 }), new Snapshots()];
    await lines(
      one,
      ["a", "b", "c", "d", "e", "f"].map((key, offset) => reading(offset, key, 0)),
    );
    expect(await lines(one, [windowsOf(500, 6)])).toEqual(["a 0 settings"]);
    expect(await lines(one, [reading(7, "e", 10)])).toEqual(["b 0 settings", "e 0 settings"]);
    expect(await lines(one, [reading(8, "a", 10)])).toEqual(["c 0 settings"]);
    // f has not switched yet. e has, before its turn, and waits again.
    expect(await lines(one, [windowsOf(250, 9)])).toEqual(["d 0 settings"]);
    snapshots.write(one, 1);
    const next = await machine({ maxSensorsPerStep: 1 }, snapshots.origin);
    for (const each of [one, next]) {
      const given: string[][] = [];
      for (let offset = 100; offset < 106; offset++) given.push(await lines(each, [tick(offset, 10)]));
      expect(given).toEqual([["f 0 settings"], ["a 10 settings"], [], [], [], ["e 10 settings"]]);
    }
  });
});

test("a control record that is refused says what was received, and a change of settings is counted", async () => {
  const one = (await machine()) as PartitionMachine;
  const refused = [
    windowsOf(500, 1, { watermark: "partition" }),
    { ...windowsOf(500, 2), headers: { ...windowsOf(500, 2).headers, change: "ünïcode" } },
    windowsOf(500, 3, { idleTimeoutMs: -1, maxSensorsPerStep: 0 }),
  ];
  for (const record of [reading(0, "a", 0), ...refused]) one.step(record);
  expect((await one.settle()).map(({ headers }) => headers["error-message"])).toEqual([
    "the settings are not taken: watermark can't be changed once there are readings: " +
      "it is sensor, and partition was received",
    'the header change is "ünïcode"; 1 to 128 printable ASCII characters are expected',
    expect.stringMatching(/^the settings are not taken: idleTimeoutMs .*; maxSensorsPerStep /),
  ]);
  expect(one.counters.get("processor.settings-changes")).toBe(0);
  await lines(one, [windowsOf(500, 4), windowsOf(500, 5)]);
  expect(one.counters.get("processor.settings-changes")).toBe(1);
});

test("the watermark's lag is the partition clock less the newest watermark, and 0 before any reading", async () => {
  const one = (await machine({ outOfOrdernessMs: 30 })) as PartitionMachine;
  await lines(one, [tick(0, 700)]);
  expect(one.watermarkLagMs).toBe(0);
  // 1,000 − (900 − 30)
  await lines(one, [{ ...reading(1, "a", 900), timestamp: 1_000 }]);
  expect([one.watermarkLagMs, one.keyCount]).toEqual([130, 1]);
});

test("the chain follows from the outputs, and from nothing else", async () => {
  const [one, same, other] = [await machine(), await machine(), await machine()];
  for (const each of [one, same, other]) expect(each.chain).toBe("0-00000000");
  await lines(one, [reading(0, "a", 0), tick(1, 1_001)]);
  await lines(same, [reading(0, "a", 0), tick(1, 1_001), tick(2, 1_002)]);
  await lines(other, [reading(0, "a", 1), tick(1, 1_002)]);
  expect(one.chain).toMatch(/^1-[0-9a-f]{8}$/);
  expect(same.chain).toBe(one.chain);
  expect(other.chain).not.toBe(one.chain);
});

describe("a step in which our own code throws", () => {
  test("names its offset; the record is a dead letter then, and the stream continues", async () => {
    const bad = reading(1, "a", 100, "throws");
    const first = await machine();
    first.step(reading(0, "a", 0));
    const failure = thrownBy(() => first.step(bad)) as StepFailed;
    expect(failure).toBeInstanceOf(StepFailed);
    expect([failure.offset, failure.key, failure.message]).toEqual([
      1,
      null,
      "processing failed at offset 1: a bug on this record",
    ]);
    const again = await machine({}, { failures: failures(failure) });
    const records = [reading(0, "a", 0), bad, reading(2, "a", 200), tick(3, 1_300)];
    expect(await lines(again, records)).toEqual(["dead a value processing-failed", "a 0 idle", "a 200 idle"]);
  });

  test("by a named error is a failure of the record with that error as its cause", async () => {
    const cause = new MillraceError("state-layout-unknown", "not this record");
    const throwing = pipelineOf(() => [
      {
        ...waiting,
        apply: () => {
          throw cause;
        },
      },
    ]);
    const one = await machine({}, {}, throwing);
    const failure = thrownBy(() => one.step(reading(0, "a", 0))) as StepFailed;
    expect(failure).toBeInstanceOf(StepFailed);
    expect(failure.cause).toBe(cause);
  });

  test("while another key fires drops that key's state alone, with a dead letter that has its key", async () => {
    const records = [
      reading(0, "a", 0),
      reading(1, "b", 1, "throws when it fires"),
      reading(2, "c", 2),
      reading(3, "d", 1_500),
      reading(4, "b", 1_501),
      tick(5, 3_000),
    ];
    const first = await machine();
    for (const record of records.slice(0, 3)) first.step(record);
    const trace = { ...records[3]!.headers, traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" };
    const failure = thrownBy(() => first.step({ ...records[3]!, headers: trace })) as StepFailed;
    expect([failure.offset, failure.key]).toEqual([3, "b"]);
    expect(failure.traceId).toBe("4bf92f3577b34da6a3ce929d0e0e4736");
    expect(failure.message).toBe('the state of "b" failed at offset 3: a bug in what is open');
    const again = await machine({}, { failures: failures(failure) });
    const given = ["a 0 idle", "dead b null state-failed", "c 2 idle", "b 1501 idle", "d 1500 idle"];
    expect(await lines(again, records)).toEqual(given);
  });

  test("while the partition's watermark fires another key names that key", async () => {
    const first = await machine({ watermark: "partition", idleTimeoutMs: 5_000, expiryMs: 9_000 });
    first.step(reading(0, "a", 0, "throws when it fires"));
    const failure = thrownBy(() => first.step(reading(1, "b", 1_000))) as StepFailed;
    expect([failure.offset, failure.key]).toEqual([1, "a"]);
  });

  test("while the record's own key fires is that record's failure", async () => {
    for (const watermark of ["sensor", "partition"] as const) {
      const first = await machine({ watermark, idleTimeoutMs: 5_000, expiryMs: 9_000 });
      first.step(reading(0, "a", 0, "throws when it fires"));
      const failure = thrownBy(() => first.step(reading(1, "a", 1_000))) as StepFailed;
      expect([failure.offset, failure.key]).toEqual([1, null]);
    }
  });
});

describe("a snapshot", () => {
  test("has a key that changed, and no other", async () => {
    const [one, snapshots] = [await machine(), new Snapshots()];
    await lines(one, [reading(0, "a", 0), reading(1, "b", 1)]);
    expect(snapshots.write(one, 1)).toEqual(["task", "key/a", "key/b"]);
    await lines(one, [reading(2, "b", 2)]);
    expect(snapshots.write(one, 2)).toEqual(["task", "key/b"]);
    expect(snapshots.write(one, 3)).toEqual(["task"]);
  });

  test("says that a key is forgotten, for as long as an older generation may have it", async () => {
    const [one, snapshots] = [await machine(), new Snapshots()];
    await lines(one, [reading(0, "a", 0)]);
    snapshots.write(one, 1);
    // Idle after 1,000 ms, expired after 3,000, forgotten after 5,000.
    await lines(one, [tick(1, 1_001), tick(2, 3_001), tick(3, 5_001)]);
    expect(snapshots.write(one, 2)).toEqual(["task", "key/a"]);
    expect(snapshots.write(one, 3)).toEqual(["task"]);
    expect(one.liveGenerations()).toEqual([2, 3]);
    // A machine that is restored from it knows no such key, and keeps saying so.
    const next = await machine({}, snapshots.origin);
    expect(next.liveGenerations()).toEqual([2, 3]);
    expect(await lines(next, [tick(100, 9_000)])).toEqual([]);
    // Where all older generations are rewritten, nobody has it any more.
    next.rewriteUpTo(2);
    expect(snapshots.write(next, 4)).toEqual(["task"]);
    expect(next.liveGenerations()).toEqual([4]);
  });

  test("of a key that was forgotten and came again has its new state", async () => {
    const [one, snapshots] = [await machine(), new Snapshots()];
    await lines(one, [reading(0, "a", 0)]);
    snapshots.write(one, 1);
    await lines(one, [tick(1, 5_000), tick(2, 9_000), tick(3, 13_000), reading(4, "a", 13_000)]);
    expect(snapshots.write(one, 2)).toEqual(["task", "key/a"]);
    expect(one.liveGenerations()).toEqual([2]);
    const next = await machine({}, snapshots.origin);
    expect(await lines(next, [tick(100, 15_000)])).toEqual(["a 13000 idle"]);
  });

  test("keeps the order in which silent keys go idle", async () => {
    const [one, snapshots] = [await machine({ maxSensorsPerStep: 1 }), new Snapshots()];
    await lines(one, [reading(0, "x", 0), reading(1, "y", 0), reading(2, "z", 0), reading(3, "a", 500)]);
    expect(await lines(one, [tick(4, 1_001), tick(5, 1_501)])).toEqual(["x 0 idle", "y 0 idle"]);
    snapshots.write(one, 1);
    const next = await machine({ maxSensorsPerStep: 1 }, snapshots.origin);
    expect(await lines(next, [tick(100, 1_502), tick(101, 1_503)])).toEqual(["z 0 idle", "a 500 idle"]);
  });
});

/** Layout 1 of a task's entry, as it was written before settings stood in the log. */
function taskLayout1(clock: number): Buffer {
  const writer = new Writer();
  writer.u8(1);
  for (const value of [clock, clock, clock]) writer.f64(value);
  writer.text("");
  return writer.take();
}

/** Layout 1 of a key's entry: presence 0 is active, 1 idle, 2 expired. */
function keyLayout1(maxEventTime: number, lastSeen: number, presence: number, times: readonly number[]): Buffer {
  const writer = new Writer();
  writer.u8(1);
  for (const value of [0, maxEventTime, lastSeen]) writer.f64(value);
  writer.u8(presence);
  writer.section(() => undefined);
  if (presence === 2) writer.u8(0);
  else {
    writer.u8(1);
    writer.text("waiting");
    writer.u8(1);
    writer.section(() => writer.f64s(Float64Array.from(times)));
  }
  return writer.take();
}

describe("a snapshot of layout 1", () => {
  const entriesOf = (keys: Readonly<Record<string, Buffer>>): Pick<MachineOrigin, "restored"> => ({
    restored: {
      nextOffset: 100,
      chain: "0-00000000",
      entries: [
        { generation: 1, key: "task", value: taskLayout1(10_000) },
        ...Object.entries(keys).map(([key, value]) => ({ generation: 1, key: `key/${key}`, value })),
      ],
    },
  });

  test("is continued: what was open fires, and the watermark is the highest event time less the bound", async () => {
    const origin = entriesOf({ a: keyLayout1(9_900, 9_900, 0, [9_000, 9_900]) });
    const one = await machine({ outOfOrdernessMs: 300 }, origin);
    one.step(tick(100, 10_901));
    const fired = (await one.settle()).map(({ value }) => JSON.parse(Buffer.from(value!).toString()) as unknown);
    const common = { cause: "idle", watermark: 9_600, finalUpTo: -1 };
    expect(fired).toMatchObject([
      { t: 9_000, ...common },
      { t: 9_900, ...common },
    ]);
  });

  test("has tombstones, whose highest event time is final; those past their time are let go", async () => {
    // Silent for 4,000 and for 5,001 ms; a tombstone goes after 3,000 + 2,000.
    const one = await machine(
      {},
      entriesOf({ a: keyLayout1(5_500, 6_000, 2, []), b: keyLayout1(4_500, 4_999, 2, []) }),
    );
    await lines(one, [reading(100, "a", 10_000), reading(101, "b", 10_000), tick(102, 10_000)]);
    one.flush();
    const begun = (await one.settle()).map(({ key, value }) => {
      const { finalUpTo } = JSON.parse(Buffer.from(value!).toString()) as { finalUpTo: number };
      return `${Buffer.from(key!).toString()} ${finalUpTo}`;
    });
    expect(begun).toEqual(["a 5500", "b -1"]);
  });

  test("of a layout that is not known is refused", async () => {
    for (const layout of [0, 9]) {
      const value = taskLayout1(0);
      value[0] = layout;
      const restored = { nextOffset: 0, chain: "", entries: [{ generation: 1, key: "task", value }] };
      await expect(machine({}, { restored })).rejects.toMatchObject({
        code: "state-layout-unknown",
        message: expect.stringContaining(`layout ${layout}; this version reads 1 to`),
      });
    }
  });

  test("without a task entry is refused", async () => {
    const restored = { nextOffset: 3, chain: "", entries: [] };
    await expect(machine({}, { restored })).rejects.toMatchObject({ code: "snapshot-corrupt" });
  });
});
