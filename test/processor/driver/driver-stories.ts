import { setTimeout as delay } from "node:timers/promises";
import { afterEach, describe, expect, test } from "@jest/globals";
import type { LateRecord, SessionRecord, WindowRecord } from "../../../domain/records.ts";
import { defaultSemantics } from "../../../domain/semantics.ts";
import { headers, topics } from "../../../domain/topics.ts";
import { machineFactory, sensorMachineFactory } from "../../../processor/adapters/machine-factory.ts";
import type { PipelineDriver } from "../../../processor/driver/driver.ts";
import type { SequencedMessage } from "../../../processor/operators/sequenced-message.ts";
import { decodeImu } from "../../../processor/pipelines/sensor/decode-imu.ts";
import { sensorPipeline } from "../../../processor/pipelines/sensor/sensor-pipeline.ts";
import type { MachineFactory } from "../../../processor/runtime/machine.ts";
import type { PartitionPipeline } from "../../../processor/runtime/pipeline.ts";

/** Windows of 1 s, 5 min of lateness, 0.5 s out of order, a session gap of 5 s, idle after 10 s: the defaults. */
/** Times of the stories are small numbers. */
const semantics = { ...defaultSemantics, earliestTimeMs: 0 };
const sensors = sensorMachineFactory(semantics);

/** A message with one sample per time. */
const message = (seq: number, t: readonly number[], ax: readonly number[] = t.map(() => 0)): object => ({
  seq,
  t,
  samples: t.map((_, i) => [ax[i], 0, 9.8, 0, 0, 0]),
});
const reading = (t: number, offset: number): object => message(offset, [t]);

const windows = (driver: PipelineDriver): string[] =>
  driver.outputs(topics.aggregated.name).map(({ value }) => {
    const { id, sensorId, window, revision, cause, count } = value as unknown as WindowRecord;
    return `${id} ${sensorId} ${window.start}..${window.end} r${revision} ${cause} n=${count}`;
  });
const sessions = (driver: PipelineDriver): string[] =>
  driver.outputs(topics.sessions.name).map(({ value }) => {
    const session = value as unknown as SessionRecord;
    const { id, type, sessionId, supersedes } = session;
    const end =
      session.type === "ended" ? ` ..${session.end} n=${session.samples} r${session.revision} ${session.cause}` : "";
    return `${id} ${type} ${sessionId}${end} [${supersedes.join()}]`;
  });

/** A pipeline whose own code throws on the value `boom`. */
export const failing = sensorsDecodedBy((key, value, recordHeaders, into) => {
  if (Buffer.from(value).toString() === "boom") throw new Error("the decoder broke");
  return decodeImu(key, value, recordHeaders, into);
});

/** A pipeline that is not deterministic: its outputs depend on how often a record was decoded. */
function unsteady(): MachineFactory {
  let decoded = 0;
  return sensorsDecodedBy((key, value, recordHeaders, into) => {
    const rejection = decodeImu(key, value, recordHeaders, into);
    into.columns[0] = decoded++;
    return rejection;
  });
}

/** The sensor pipeline with another decoder. */
function sensorsDecodedBy(decode: typeof decodeImu): MachineFactory {
  const pipeline = sensorPipeline();
  const open = (): PartitionPipeline<SequencedMessage> => {
    const opened = pipeline.open();
    return { ...opened, build: (settings) => ({ ...opened.build(settings), decode }) };
  };
  return machineFactory({ ...pipeline, open }, { initial: semantics });
}

export type Step = (driver: PipelineDriver) => Promise<void>;

/** A stream with all that a sensor does, step by step. */
export const stream: readonly Step[] = [
  (driver) => driver.record({ key: "s1", timestamp: 1_000, value: message(0, [1_000, 1_400]) }),
  (driver) => driver.record({ key: "s2", value: message(1, [1_100]) }),
  (driver) => driver.advanceEventTime("s1", 2_500, reading),
  (driver) => driver.record({ key: "s1", value: message(3, [1_900]) }),
  (driver) => driver.record({ key: "s1", value: "no message" }),
  (driver) => driver.advanceEventTime("s1", 8_000, reading),
  (driver) => driver.advanceClock(4_000),
  (driver) => driver.record({ key: "s1", value: message(10, [5_000]) }),
  (driver) => driver.advanceClock(11_000),
];
/**
 * Calculated by hand. Offsets 0 to 5 are the first six steps; 6 to 9 are the ticks at 9, 10, 11 and 12 s; 10 is the
 * late reading; ticks from 13 s follow. The silence of s2 begins at 1 s, and the jump from 2.5 to 8 s counts for 5 s:
 * it is 10 s at 11.5 s of the clock, so the tick at 12 s (offset 9) makes s2 idle. The tick at 23 s (offset 21) makes
 * s1 idle, more than 10 s after 12 s.
 */
const streamWindows = [
  "imu-data-all/0/2/0 s1 1000..2000 r0 watermark n=2",
  "imu-data-all/0/3/0 s1 1000..2000 r1 late n=3",
  "imu-data-all/0/5/0 s1 2000..3000 r0 watermark n=1",
  "imu-data-all/0/9/0 s2 1000..2000 r0 idle n=1",
  "imu-data-all/0/10/0 s1 5000..6000 r0 late n=1",
  "imu-data-all/0/21/0 s1 8000..9000 r0 idle n=1",
];
/** The gap separates 2.5 s and 8 s, until 5 s comes between them. */
const streamSessions = [
  "imu-data-all/0/0/0 started s1@1000 []",
  "imu-data-all/0/1/0 started s2@1100 []",
  "imu-data-all/0/5/0 started s1@8000 []",
  "imu-data-all/0/5/1 ended s1@1000 ..2500 n=4 r0 watermark []",
  "imu-data-all/0/9/0 ended s2@1100 ..1100 n=1 r0 idle []",
  "imu-data-all/0/21/0 ended s1@1000 ..8000 n=6 r1 idle [s1@8000]",
];

/** What the driver guarantees to the author of a pipeline, in memory and on Kafka. */
export function driverStories(where: string, create: (factory: MachineFactory) => Promise<PipelineDriver>): void {
  const drivers: PipelineDriver[] = [];
  const open = async (factory: MachineFactory = sensors): Promise<PipelineDriver> => {
    const driver = await create(factory);
    drivers.push(driver);
    return driver;
  };
  afterEach(async () => {
    for (const driver of drivers.splice(0)) await driver.close();
  });

  describe(`a pipeline ${where}`, () => {
    test("a window fires when the watermark reaches its end, and again for a late reading", async () => {
      const driver = await open();
      await driver.record({ key: "s1", timestamp: 1_000, value: message(0, [1_000, 1_400], [1, 3]) });
      expect(driver.outputs(topics.aggregated.name)).toEqual([]);
      await driver.advanceEventTime("s1", 2_500, reading);
      await driver.record({ key: "s1", value: message(2, [1_900], [5]) });
      expect(windows(driver)).toEqual([
        "imu-data-all/0/1/0 s1 1000..2000 r0 watermark n=2",
        "imu-data-all/0/2/0 s1 1000..2000 r1 late n=3",
      ]);
      const [first, again] = driver
        .outputs(topics.aggregated.name)
        .map(({ value }) => (value as unknown as WindowRecord).channels.ax);
      expect(first).toEqual({ mean: 2, std: 1, min: 1, max: 3, rms: Math.sqrt(5) });
      expect(again).toMatchObject({ mean: 3, min: 1, max: 5 });
      expect(again!.std).toBeCloseTo(Math.sqrt(8 / 3), 12);
      expect(again!.rms).toBeCloseTo(Math.sqrt(35 / 3), 12);
    });

    test("a reading between two sessions merges them, and the merged session supersedes the later one", async () => {
      const driver = await open();
      for (const t of [1_000, 8_000, 4_500]) await driver.advanceEventTime("s1", t, reading);
      await driver.advanceClock(11_000);
      expect(sessions(driver)).toEqual([
        "imu-data-all/0/0/0 started s1@1000 []",
        "imu-data-all/0/1/0 started s1@8000 []",
        "imu-data-all/0/1/1 ended s1@1000 ..1000 n=1 r0 watermark []",
        "imu-data-all/0/13/0 ended s1@1000 ..8000 n=3 r1 idle [s1@8000]",
      ]);
    });

    test("a duplicate message counts once", async () => {
      const driver = await open();
      for (let copy = 0; copy < 2; copy++)
        await driver.record({ key: "s1", timestamp: 1_000, value: message(7, [1_000]) });
      await driver.advanceEventTime("s1", 2_500, reading);
      expect(windows(driver)).toEqual(["imu-data-all/0/2/0 s1 1000..2000 r0 watermark n=1"]);
      expect(driver.deadLetters()).toEqual([]);
    });

    test("an invalid message is a dead letter, verbatim, and the stream continues", async () => {
      const driver = await open();
      await driver.record({
        key: "s1",
        timestamp: 1_000,
        value: Uint8Array.of(0x7b, 0xff),
        headers: { note: "ünïcode" },
      });
      await driver.record({ key: "s1", value: reading(1_000, 1) });
      expect(driver.deadLetters()).toEqual([
        { code: "invalid-json", offset: 0, key: "s1", value: Buffer.of(0x7b, 0xff) },
      ]);
      expect(driver.raw.find(({ topic }) => topic === topics.deadLetter.name)!.headers).toMatchObject({
        note: "ünïcode",
        [headers.sourceTopic]: "imu-data-all",
        [headers.sourcePartition]: "0",
      });
      expect(sessions(driver)).toEqual(["imu-data-all/0/1/0 started s1@1000 []"]);
    });

    test("a reading for a discarded window goes to the late topic, with the window that it missed", async () => {
      const driver = await open();
      await driver.advanceEventTime("s1", 1_000, reading);
      // The watermark is 1 ms before the window's end plus the allowed lateness of 5 min.
      await driver.advanceEventTime("s1", 302_499, reading);
      await driver.record({ key: "s1", value: message(2, [1_200]) });
      expect(driver.late()).toEqual([]);
      await driver.advanceEventTime("s1", 302_500, reading);
      await driver.record({ key: "s1", value: message(4, [1_500]) });
      const late = driver.late().map(({ value }) => value as unknown as LateRecord);
      expect(late).toEqual([
        {
          id: "imu-data-all/0/4/0",
          schema: 1,
          sensorId: "s1",
          seq: 4,
          operator: "window",
          window: { start: 1_000, end: 2_000 },
          t: [1_500],
          samples: [[0, 0, 9.8, 0, 0, 0]],
        },
      ]);
    });

    test("ticks advance the clock, and silence beyond the idle timeout fires what is open", async () => {
      const driver = await open();
      await driver.advanceEventTime("s1", 1_000, reading);
      await driver.advanceClock(10_000);
      expect(windows(driver)).toEqual([]);
      await driver.advanceClock(1);
      expect(driver.clock).toBe(11_001);
      expect(windows(driver)).toEqual(["imu-data-all/0/11/0 s1 1000..2000 r0 idle n=1"]);
      expect(sessions(driver).at(-1)).toBe("imu-data-all/0/11/0 ended s1@1000 ..1000 n=1 r0 idle []");
    });

    test.each<[string, (driver: PipelineDriver, step: Step, at: number) => Promise<void>]>([
      ["nothing", (driver, step) => step(driver)],
      [
        "a crash after every step",
        async (driver, step) => {
          await step(driver);
          driver.crash();
          await driver.restore();
        },
      ],
      [
        "a snapshot and a crash after every step",
        async (driver, step) => {
          await step(driver);
          await driver.snapshot();
          driver.crash();
          await driver.restore();
        },
      ],
      [
        "a snapshot after every third step and a crash after every second",
        async (driver, step, at) => {
          await step(driver);
          if (at % 3 === 1) await driver.snapshot();
          if (at % 2 === 1) driver.crash();
          if (at % 2 === 1) await driver.restore();
        },
      ],
      [
        "all steps but the first while the partition has no owner, and a takeover without a crash",
        async (driver, step, at) => {
          if (at > 0) driver.crash();
          const before = driver.raw.length;
          await step(driver);
          if (at > 0) expect(driver.raw).toHaveLength(before);
          await driver.restore();
          await driver.restore();
        },
      ],
    ])("every output appears once, with the same id, with %s in between", async (_what, run) => {
      const driver = await open();
      for (const [at, step] of stream.entries()) await run(driver, step, at);
      expect(windows(driver)).toEqual(streamWindows);
      expect(sessions(driver)).toEqual(streamSessions);
      expect(driver.deadLetters().map(({ code, offset }) => `${offset} ${code}`)).toEqual(["4 invalid-json"]);
    });

    test("every output appears once, whenever in a step a crash comes", async () => {
      const driver = await open();
      for (const [at, step] of stream.entries()) {
        const underWay = step(driver);
        await Promise.race([underWay, delay(4 * at)]);
        driver.crash();
        await underWay;
        await driver.restore();
      }
      expect(windows(driver)).toEqual(streamWindows);
      expect(sessions(driver)).toEqual(streamSessions);
    });

    test("a record on which the pipeline's own code throws is a dead letter, also after a crash", async () => {
      const driver = await open(failing);
      await driver.advanceEventTime("s1", 1_000, reading);
      await driver.record({ key: "s1", value: "boom" });
      driver.crash();
      await driver.record({ key: "s1", value: "boom" });
      await driver.restore();
      await driver.advanceEventTime("s1", 2_500, reading);
      expect(driver.deadLetters()).toEqual(
        [1, 2].map((offset) => ({ code: "processing-failed", offset, key: "s1", value: Buffer.from("boom") })),
      );
      expect(
        driver.raw
          .filter(({ topic }) => topic === topics.deadLetter.name)
          .map((letter) => letter.headers[headers.errorMessage]),
      ).toEqual([
        "processing failed at offset 1: the decoder broke",
        "processing failed at offset 2: the decoder broke",
      ]);
      expect(windows(driver)).toEqual(["imu-data-all/0/3/0 s1 1000..2000 r0 watermark n=1"]);
    });

    test("a pipeline that gives other outputs after a crash stops with replay-diverged", async () => {
      const driver = await open(unsteady());
      for (const t of [1_000, 2_500]) await driver.advanceEventTime("s1", t, reading);
      driver.crash();
      await expect(driver.restore()).rejects.toMatchObject({ code: "replay-diverged" });
    });

    test("a snapshot of a crashed driver and a timestamp with a fraction of a millisecond are refused", async () => {
      const driver = await open();
      driver.crash();
      await expect(driver.snapshot()).rejects.toThrow("call restore() before snapshot()");
      await expect(driver.tick(0.5)).rejects.toThrow("a record's timestamp is 0.5");
      expect(driver.nextOffset).toBe(0);
    });
  });
}
