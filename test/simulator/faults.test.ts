import { describe, expect, test } from "@jest/globals";
import { encodePackedImu } from "../../domain/packed-imu.ts";
import { contentTypes } from "../../domain/topics.ts";
import { SequencedMessage } from "../../processor/operators/sequenced-message.ts";
import { decodeImu, IMU_WIDTH } from "../../processor/pipelines/sensor/decode-imu.ts";
import { damaged, deliveries, noFaults, type Damage, type Delivery, type Faults } from "../../simulator/faults.ts";
import { Feed, type Device } from "../../simulator/feed.ts";
import type { PlannedMessage } from "../../simulator/plan.ts";
import { seededRandom } from "../../simulator/synthetic/random.ts";

function planned(seq: number): PlannedMessage {
  return {
    seq,
    execution: { name: "x", number: 0 },
    t: [seq * 100],
    samples: [[0, 0, 9.8, 0, 0, 0]],
    dueMs: seq * 100,
  };
}
const all: Faults = { duplicate: 0.1, late: 0.05, corrupt: 0.02, disconnect: 0.01 };

function run(faults: Faults, seed: number, count: number): Delivery[] {
  const random = seededRandom(seed, "sensor");
  return Array.from({ length: count }, (_, seq) => deliveries(planned(seq), faults, random)).flat();
}

describe("faults", () => {
  test("without faults, each message is published once when it is due", () => {
    expect(run(noFaults, 1, 3)).toEqual(
      [0, 1, 2].map((seq) => ({ message: planned(seq), dueMs: seq * 100, kind: "original", disconnectBefore: false })),
    );
  });

  test("the same seed makes the same decisions, another seed makes others", () => {
    expect(run(all, 7, 500)).toEqual(run(all, 7, 500));
    expect(run(all, 8, 500)).not.toEqual(run(all, 7, 500));
  });

  test("happen with their probability, and every message is still published unchanged once", () => {
    const made = run(all, 3, 20_000);
    const count = (test: (delivery: Delivery) => boolean): number => made.filter(test).length;
    expect(count(({ kind }) => kind === "original" || kind === "late")).toBe(20_000);
    // Binomial: five standard deviations around 2,000, 1,000, 400 and 200.
    for (const [seen, expected] of [
      [count(({ kind }) => kind === "duplicate"), 2_000],
      [count(({ kind }) => kind === "late"), 1_000],
      [count(({ kind }) => kind === "corrupt"), 400],
      [count(({ disconnectBefore }) => disconnectBefore), 200],
    ] as const) {
      expect(Math.abs(seen - expected)).toBeLessThan(5 * Math.sqrt(expected));
    }
  });

  test("delay a late message by 1 to 20 s, and repeat a duplicate within 2 s", () => {
    for (const { kind, dueMs, message } of run({ ...noFaults, late: 1, duplicate: 1 }, 5, 1_000)) {
      const delay = dueMs - message.dueMs;
      expect(delay).toBeGreaterThanOrEqual(1_000);
      expect(delay).toBeLessThanOrEqual(kind === "late" ? 20_000 : 22_000);
    }
  });

  test("the processor refuses a damaged copy in both formats, whatever is damaged", () => {
    const message = {
      seq: 17,
      boot: "a1",
      t: [1657533977813, 1657533977823],
      samples: [
        [0, 0, 9.8, 0, 0, 0],
        [1, 1, 1, 1, 1, 1],
      ],
    } as const;
    const forms = { json: Buffer.from(JSON.stringify(message)), packed: encodePackedImu(message) };
    for (const [format, payload] of Object.entries(forms) as ["json" | "packed", Uint8Array][]) {
      const headers = { "content-type": format === "packed" ? contentTypes.imuPacked : contentTypes.json };
      expect(decodeImu("s", payload, headers, new SequencedMessage(IMU_WIDTH))).toBeNull();
      for (const kind of ["cut", "byte"] as const) {
        for (let at = 0; at < 1; at += 0.001) {
          const damage: Damage = { kind, at };
          const copy = damaged(payload, damage, format);
          expect(decodeImu("s", copy, headers, new SequencedMessage(IMU_WIDTH))).toMatchObject({
            code: format === "packed" ? "invalid-packed" : "invalid-json",
          });
          expect(copy.length).toBeGreaterThan(0);
        }
      }
    }
  });
});

describe("a feed", () => {
  function device(sensorId: string, seqs: number[]): Device {
    return { sensorId, messages: seqs.map(planned)[Symbol.iterator](), random: seededRandom(1, sensorId) };
  }

  test("returns the messages of all devices, delayed ones included, in the order of their due times", () => {
    const feed = new Feed([device("a", [0, 2, 4, 300]), device("b", [1, 2, 3])], {
      ...noFaults,
      late: 0.5,
      duplicate: 0.5,
    });
    const due: number[] = [];
    let published = 0;
    for (let next = feed.next(); next; next = feed.next()) {
      due.push(next.dueMs);
      if (next.kind !== "duplicate") published++;
    }
    expect(due).toEqual(due.toSorted((x, y) => x - y));
    expect(published).toBe(7);
  });

  test("reads no more from an infinite device than necessary", () => {
    let taken = 0;
    function* endless(): Generator<PlannedMessage> {
      for (let seq = 0; ; seq++) {
        taken++;
        yield planned(seq);
      }
    }
    const feed = new Feed([{ sensorId: "a", messages: endless(), random: seededRandom(1) }], noFaults);
    for (let i = 0; i < 10; i++) expect(feed.next()!.message.seq).toBe(i);
    expect(taken).toBe(11);
  });
});
