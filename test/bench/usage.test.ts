import { describe, expect, it } from "@jest/globals";
import { cpuOfStat, kilobytes, shares, sumShares, usageOfPs, usages } from "../../bench/usage.ts";

describe("what processes use", () => {
  it("reads user and system time of a process whose name has a parenthesis", () => {
    const fields = "S 1 2 3 4 5 6 7 8 9 10 250 150 7 8 20 0";
    expect(cpuOfStat(`42 (java) x) ${fields}`)).toBe(4);
  });

  it("reads memory by its name alone", () => {
    const text = "VmPeak:\t 9000 kB\nVmRSS:\t    2048 kB\n";
    expect(kilobytes(text, "VmRSS")).toBe(2_048);
    expect(kilobytes(text, "Pss")).toBeNaN();
  });

  it("reads the times of ps", () => {
    expect(usageOfPs("  1:02.50  2048\n")).toEqual({ cpu: 62.5, rssMb: 2 });
    expect(usageOfPs("2-01:00:03 1024")).toEqual({ cpu: 2 * 86_400 + 3_600 + 3, rssMb: 1 });
  });

  it("measures this process, and leaves out one that has ended", () => {
    const found = usages({ here: process.pid, gone: 2 ** 22 + 1 });
    expect([...found.keys()]).toEqual(["here"]);
    expect(found.get("here")!.rssMb).toBeGreaterThan(10);
  });

  it("counts a restarted process from its start, and no process that has ended", () => {
    const usage = (pid: number, cpu: number) => ({ pid, cpu, rssMb: 100, proportionalMb: 60 });
    const before = new Map([
      ["kafka", usage(1, 10)],
      ["live", usage(2, 10)],
      ["gone", usage(3, 1)],
    ]);
    const after = new Map([
      ["kafka", usage(1, 13)],
      ["live", usage(9, 2)],
    ]);
    const found = shares(before, after, 10);
    expect(found.map(({ name, cores }) => [name, cores])).toEqual([
      ["kafka", 0.3],
      ["live", 0.2],
    ]);
    expect(sumShares(found)).toEqual({ cores: 0.5, rssMb: 200, proportionalMb: 120 });
  });
});
