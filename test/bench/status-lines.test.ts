import { describe, expect, it } from "@jest/globals";
import { parseStatusLine } from "../../bench/status-lines.ts";
import { statusLine } from "../../local/status.ts";

const metrics = {
  readingsPerSecond: 1_662,
  windowsPerSecond: 16,
  sessionsStarted: 29,
  deadLetters: 1_234,
  tradesPerSecond: undefined,
  lag: 7,
};
const units = new Map([["live", { state: "restarting", pid: 1, restarts: 3 } as const]]);

describe("status lines", () => {
  it("reads what npm start writes", () => {
    const line = statusLine(metrics, { p50: 8.72, p99: 71.3 }, units, new Map([["processor", "degraded"]]));
    expect(parseStatusLine(line)).toEqual({
      readingsPerSecond: 1_662,
      p50: 8.7,
      p99: 71,
      deadLetters: 1_234,
      restarts: 3,
    });
  });

  it("reads a line before the first sample, and one with trades", () => {
    const line = statusLine(
      { ...metrics, tradesPerSecond: 50 },
      { p50: undefined, p99: undefined },
      new Map(),
      new Map(),
    );
    expect(parseStatusLine(line)).toMatchObject({ p50: NaN, p99: NaN, restarts: 0 });
  });

  it("takes no other line", () => {
    expect(parseStatusLine("Millrace is running")).toBeNull();
    expect(parseStatusLine("in case of latency p50 1 ms")).toBeNull();
  });
});
