import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** A process that is still the same: process ids are given anew, so that one alone might name somebody else's process. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it was started, as the system tells it. */
  readonly started: string;
}

interface ProcessFacts {
  readonly parent: number;
  readonly started: string;
  readonly command: string;
}

/** The identity of a running process, or undefined when there is none (a zombie is none). */
export function identify(pid: number): ProcessIdentity | undefined {
  const started = facts(pid)?.started;
  return started === undefined ? undefined : { pid, started };
}

export function isAlive(identity: ProcessIdentity): boolean {
  return facts(identity.pid)?.started === identity.started;
}

/**
 * The processes that this one was started for: its parent, and above it what belongs to npm. When one of them is gone,
 * nobody is there any more who would stop this one.
 */
export function owners(): ProcessIdentity[] {
  const found: ProcessIdentity[] = [];
  for (let pid = process.ppid; pid > 1;) {
    const parent = facts(pid);
    if (!parent || (found.length > 0 && !/\bnpm\b|bootstrap\.mjs/.test(parent.command))) break;
    found.push({ pid, started: parent.started });
    pid = parent.parent;
  }
  return found;
}

function facts(pid: number): ProcessFacts | undefined {
  return process.platform === "linux" ? factsFromProc(pid) : factsFromPs(pid);
}

/**
 * Proc(5): in /proc/PID/stat, state, parent and start time are fields 3, 4 and 22; field 2, in brackets, may hold
 * anything.
 */
function factsFromProc(pid: number): ProcessFacts | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return undefined;
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return {
      parent: Number(fields[1]),
      started: `${boot}/${fields[19]}`,
      command: readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " "),
    };
  } catch {
    return undefined;
  }
}

function factsFromPs(pid: number): ProcessFacts | undefined {
  const { stdout } = spawnSync("env", ["LC_ALL=C", "ps", "-o", "ppid=,stat=,lstart=,command=", "-p", String(pid)], {
    encoding: "utf8",
  });
  const match = /^\s*(\d+)\s+(\S+)\s+(\S+ \S+\s+\d+ [\d:]+ \d{4})\s+(.*)$/m.exec(stdout ?? "");
  return !match || match[2]!.startsWith("Z")
    ? undefined
    : { parent: Number(match[1]), started: match[3]!, command: match[4]! };
}
