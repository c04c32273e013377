import { describe, expect, it } from "@jest/globals";
import { hopsOf, platformTargets, type PlatformResult } from "../../bench/platform.ts";

const measured = {
  load: { sensors: 20, hz: 100, clients: 0, warmUpSeconds: 180, seconds: 60 },
  total: { cores: 0.41, rssMb: 1_799, proportionalMb: 1_000 },
  published: 1_000,
  processed: 990,
  lag: { begin: 5, end: 9 },
  lagFlat: true,
  publishToSamples: { p50: 14, p99: 60 },
  closed: 2,
  featureRead: { p50: 5, p99: 50 },
} as unknown as PlatformResult;

describe("the platform's measurement", () => {
  it("holds the default load to its row of the table", () => {
    expect(platformTargets(measured).map(({ measured: shown, met }) => [shown, met])).toEqual([
      ["0.41 cores", false],
      ["14 ms", true],
      ["60 ms", false],
      ["1799 MB", true],
      ["50 ms", false],
    ]);
  });

  it("holds the heavy load to its row", () => {
    const load = { ...measured.load, sensors: 200, hz: 200, clients: 10 };
    const growing = { ...measured, load, lagFlat: false, lag: { begin: 5, end: 90_000 } };
    expect(platformTargets(growing).map(({ measured: shown, met }) => [shown, met])).toEqual([
      ["0.41 cores", true],
      ["0.99", true],
      ["5 to 90000: growing", false],
      ["2", false],
      ["60 ms", true],
    ]);
  });

  it("has no target for another load", () => {
    expect(platformTargets({ ...measured, load: { ...measured.load, clients: 3 } })).toEqual([]);
  });

  it("follows a message through its hops, and leaves out one whose input was not seen", () => {
    const inputs = new Map([["3/17", { receivedAt: 1_004, appendedAt: 1_006 }]]);
    const outputs = new Map([
      ["imu-data-all/3/17/0", { source: "3/17", sentAt: 1_011 }],
      ["imu-data-all/3/18/0", { source: "3/18", sentAt: 1_011 }],
    ]);
    const hops = hopsOf(
      ["imu-data-all/3/17/0", "imu-data-all/3/18/0", "imu-data-all/3/19/0"].map((id) => ({
        id,
        newest: 1_000,
        receivedAt: 1_012,
      })),
      inputs,
      outputs,
    );
    expect(Object.entries(hops).map(([hop, { p50 }]) => [hop, p50])).toEqual([
      ["device to bridge", 4],
      ["bridge to Kafka", 2],
      ["Kafka to processor's output", 5],
      ["output to WebSocket", 1],
      ["publish to WebSocket", 12],
    ]);
  });
});
