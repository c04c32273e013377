import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Identifies one process. An id alone does not: the system reuses the ids of ended processes. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Start time in the system's own format. */
  readonly started: string;
}

interface ProcessFacts {
  readonly parent: number;
  readonly started: string;
  readonly command: string;
}

/** The identity of a running process; undefined when there is none. A zombie does not count as running. */
export function identify(pid: number): ProcessIdentity | undefined {
  const started = facts(pid)?.started;
  return started === undefined ? undefined : { pid, started };
}

export function isAlive(identity: ProcessIdentity): boolean {
  return facts(identity.pid)?.started === identity.started;
}

/**
 * The processes that own this one: its parent, and the processes of npm above it. When one of them has ended, nobody is
 * left who would stop this process.
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
 * See the manual page proc_pid_stat(5): state, parent and start time are the fields 3, 4 and 22 of /proc/PID/stat.
 * Field 2, in parentheses, may contain any character, so parsing begins after the last parenthesis.
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
