import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** What a process has used. */
export interface Usage {
  readonly pid: number;
  /** User and system time, seconds. */
  readonly cpu: number;
  /** Resident memory, MB of 2^20 bytes. What processes share counts in each. */
  readonly rssMb: number;
  /** Its part of the memory that it shares, and all of its own; NaN where the system does not tell. */
  readonly proportionalMb: number;
}

/** Linux counts in ticks of 10 ms. */
const TICKS_PER_SECOND = 100;

/** What the processes of these names have used since their start. A process that has ended is left out. */
export function usages(pids: Readonly<Record<string, number>>): Map<string, Usage> {
  const found = new Map<string, Usage>();
  for (const [name, pid] of Object.entries(pids)) {
    try {
      found.set(name, process.platform === "linux" ? fromProc(pid) : fromPs(pid));
    } catch {
      // The process has ended.
    }
  }
  return found;
}

function fromProc(pid: number): Usage {
  const read = (file: string): string => readFileSync(`/proc/${pid}/${file}`, "utf8");
  return {
    pid,
    cpu: cpuOfStat(read("stat")),
    rssMb: kilobytes(read("status"), "VmRSS") / 1_024,
    proportionalMb: pss(),
  };
  function pss(): number {
    try {
      return kilobytes(read("smaps_rollup"), "Pss") / 1_024;
    } catch {
      return NaN;
    }
  }
}

function fromPs(pid: number): Usage {
  const line = execFileSync("ps", ["-o", "time=,rss=", "-p", String(pid)], { encoding: "utf8" });
  return { pid, ...usageOfPs(line), proportionalMb: NaN };
}

/** User and system time in seconds, from `/proc/PID/stat`. The name in parentheses may contain anything. */
export function cpuOfStat(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** A value of `/proc/PID/status` or `smaps_rollup`; NaN when it is missing. */
export function kilobytes(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1] ?? NaN);
}

/** A line of `ps -o time=,rss=`: `[[days-]hours:]minutes:seconds[.hundredths]` and KB. */
export function usageOfPs(line: string): Pick<Usage, "cpu" | "rssMb"> {
  const [time = "", rss = ""] = line.trim().split(/\s+/);
  const [days, clock] = time.includes("-") ? time.split("-") : ["0", time];
  const inDay = clock!.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
  return { cpu: Number(days) * 86_400 + inDay, rssMb: Number(rss) / 1_024 };
}

/** Share of a core over a time, and memory at its end. */
export interface ProcessShare {
  readonly name: string;
  readonly cores: number;
  readonly rssMb: number;
  readonly proportionalMb: number;
}

/** A process that was restarted counts since its start. One that has ended since `before` is left out. */
export function shares(
  before: ReadonlyMap<string, Usage>,
  after: ReadonlyMap<string, Usage>,
  seconds: number,
): ProcessShare[] {
  return Array.from(after, ([name, { pid, cpu, rssMb, proportionalMb }]) => {
    const earlier = before.get(name);
    const used = cpu - (earlier?.pid === pid ? earlier.cpu : 0);
    return { name, cores: used / seconds, rssMb, proportionalMb };
  });
}

/** The sum of all processes. */
export function sumShares(all: readonly ProcessShare[]): Omit<ProcessShare, "name"> {
  const sum = (value: (share: ProcessShare) => number): number => all.reduce((total, share) => total + value(share), 0);
  return {
    cores: sum(({ cores }) => cores),
    rssMb: sum(({ rssMb }) => rssMb),
    proportionalMb: sum(({ proportionalMb }) => proportionalMb),
  };
}
