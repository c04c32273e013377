import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer, connect } from "node:net";
import { LOOPBACK, localPorts, type LocalPort } from "../../config/local.ts";
import { MillraceError } from "../../domain/errors.ts";

/**
 * Bounds of the picked ports. They lie below the ephemeral ports, which systems give to outgoing connections: a client
 * that retries a stopped server could get the server's own port as its source port and hold it.
 */
const PICK_FROM = 20_000;
const PICK_BELOW = 32_000;

export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen({ port, host: LOOPBACK, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** `count` different free ports, chosen at random so that two concurrent callers rarely pick the same. */
export async function pickFreePorts(count: number): Promise<number[]> {
  const picked = new Set<number>();
  while (picked.size < count) {
    const port = PICK_FROM + Math.floor(Math.random() * (PICK_BELOW - PICK_FROM));
    if (!picked.has(port) && (await isPortFree(port))) picked.add(port);
  }
  return [...picked];
}

export type PlatformPorts = Readonly<Record<LocalPort, number>>;

/** Free ports for a whole platform. */
export async function pickPlatformPorts(): Promise<PlatformPorts> {
  const names = Object.keys(localPorts) as LocalPort[];
  const ports = await pickFreePorts(names.length);
  return Object.fromEntries(names.map((name, i) => [name, ports[i]!])) as Record<LocalPort, number>;
}

export interface WantedPort {
  readonly port: number;
  /** What listens there, such as "Kafka". */
  readonly purpose: string;
  /** The option that changes it, such as `--port-kafka`. */
  readonly option: string;
}

/**
 * @throws MillraceError `port-taken` that lists every taken port, the process that holds it where the system tells, and
 *   the option that changes it.
 */
export async function requireFreePorts(wanted: readonly WantedPort[]): Promise<void> {
  const taken: WantedPort[] = [];
  for (const want of wanted) if (!(await isPortFree(want.port))) taken.push(want);
  if (taken.length === 0) return;
  const lines = taken.map(({ port, purpose, option }) => {
    const holder = describeHolder(port);
    const by = holder ? ` by ${holder}` : "";
    return `  - port ${port} (${purpose}) is taken${by}: stop that process, or choose another port with ${option} N`;
  });
  throw new MillraceError(
    "port-taken",
    `${taken.length === 1 ? "a port is" : `${taken.length} ports are`} in use:\n${lines.join("\n")}`,
  );
}

/** Resolves when something accepts connections on the port of loopback, rejects otherwise. */
export function probePort(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: LOOPBACK });
    socket.setTimeout(2_000, () => socket.destroy(new Error(`port ${port} did not answer`)));
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.destroy();
      resolve();
    });
  });
}

/** "process 123 (java …)"; undefined when the process belongs to another user or a container. */
function describeHolder(port: number): string | undefined {
  const pid = process.platform === "linux" ? holderOnLinux(port) : holderByLsof(port);
  if (pid === undefined) return undefined;
  const command = spawnSync("ps", ["-o", "command=", "-p", pid], { encoding: "utf8" }).stdout?.trim().slice(0, 80);
  return `process ${pid}${command ? ` (${command})` : ""}`;
}

function holderByLsof(port: number): string | undefined {
  const found = spawnSync("lsof", ["-nP", `-iTCP:${port}`, "-sTCP:LISTEN", "-t"], { encoding: "utf8" });
  return found.stdout?.trim().split("\n")[0] || undefined;
}

/** See the manual page proc(5): /proc/net/tcp has the inode of a listening socket, /proc/PID/fd has the sockets. */
function holderOnLinux(port: number): string | undefined {
  const LISTEN = "0A";
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const inodes = new Set<string>();
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const line of readOrEmpty(table).split("\n").slice(1)) {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
      if (local?.endsWith(suffix) && state === LISTEN && inode) inodes.add(`socket:[${inode}]`);
    }
  }
  if (inodes.size === 0) return undefined;
  return readdirSync("/proc").find((pid) => /^\d+$/.test(pid) && openFiles(pid).some((file) => inodes.has(file)));
}

function openFiles(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        return "";
      }
    });
  } catch {
    return [];
  }
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
