import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { MillraceError } from "../domain/errors.ts";
import { identify, isAlive, owners, type ProcessIdentity } from "./identity.ts";

/** The processes of one `npm start`. The next start reads it to end those that a killed start left running. */
interface RunRecord {
  /** The process of `npm start` itself. */
  readonly main: ProcessIdentity;
  /** Its parents: the shell and npm. */
  readonly owners: readonly ProcessIdentity[];
  /** Servers and programs, by name. */
  readonly processes: Readonly<Record<string, ProcessIdentity>>;
  /** Where programs answer `GET /health` and `GET /metrics`, on loopback. */
  readonly healthPorts?: Readonly<Record<string, number>>;
  /** Where `npm start` itself answers `GET /alarms` and `GET /graphs`, on loopback, once all runs. */
  readonly statusPort: number;
}

/** Time that an earlier start gets, after SIGTERM, to stop its programs and servers in order. */
const STOP_LIMIT_MS = 60_000;
/** Time that a single process gets. Its servers are gone, so it has nothing to hand over to. */
const END_LIMIT_MS = 3_000;

/** The file `run.json` of a home folder. It is written whenever a process starts, and removed when all have ended. */
export class RunFile {
  readonly #file: string;
  readonly #record: RunRecord & { processes: Record<string, ProcessIdentity>; healthPorts?: Record<string, number> };

  /** @param statusPort Where `npm start` itself will answer. */
  constructor(home: string, statusPort: number) {
    this.#file = join(home, "run.json");
    this.#record = { main: identify(process.pid)!, owners: owners(), processes: {}, statusPort };
    this.#write();
  }

  /** Records a process that was started. A process of the same name is replaced. */
  add(name: string, pid: number): void {
    const identity = identify(pid);
    if (identity) this.#record.processes[name] = identity;
    this.#write();
  }

  /** Records the health ports of the programs, for those who look at their metrics. */
  setHealthPorts(ports: Record<string, number>): void {
    this.#record.healthPorts = ports;
    this.#write();
  }

  /** False when npm or its shell is gone, so that nothing would ever stop this start. */
  isOwned(): boolean {
    return this.#record.owners.every(isAlive);
  }

  remove(): void {
    rmSync(this.#file, { force: true });
  }

  /** Renaming replaces the file in one step, so that a reader never sees half of it. */
  #write(): void {
    writeFileSync(`${this.#file}.new`, JSON.stringify(this.#record));
    renameSync(`${this.#file}.new`, this.#file);
  }
}

/**
 * Ends the processes that an earlier, killed start from this home folder left running.
 *
 * @throws MillraceError `already-running` when the earlier start still runs and has its owners.
 */
export async function endOrphanedProcesses(home: string, onProgress: (message: string) => void): Promise<void> {
  const record = readRunRecord(join(home, "run.json"));
  if (!record) return;
  const orphans = (): [string, ProcessIdentity][] =>
    Object.entries({ main: record.main, ...record.processes }).filter(([, identity]) => isAlive(identity));
  if (isAlive(record.main) && record.owners.every(isAlive)) {
    const { pid } = record.main;
    throw new MillraceError(
      "already-running",
      `Millrace is already running as process ${pid}, with its data in ${home}. ` +
        `Stop it first (Ctrl-C, or kill ${pid}), or start another one with --home and other ports.`,
    );
  }
  if (orphans().length === 0) return;
  const list = orphans().map(([name, { pid }]) => `${name} (${pid})`);
  onProgress(`ending processes of an earlier start: ${list.join(", ")}`);
  // A start that is alive stops its own processes, in the right order.
  if (isAlive(record.main)) {
    signal([record.main], "SIGTERM");
    await untilTrue(() => !isAlive(record.main), STOP_LIMIT_MS);
  }
  for (const name of ["SIGTERM", "SIGKILL"] as const) {
    signal(
      orphans().map(([, identity]) => identity),
      name,
    );
    if (await untilTrue(() => orphans().length === 0, END_LIMIT_MS)) return;
  }
}

/** Undefined when there is no file, or when a full disk cut it off. */
function readRunRecord(file: string): RunRecord | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as RunRecord;
  } catch {
    return undefined;
  }
}

function signal(identities: readonly ProcessIdentity[], name: NodeJS.Signals): void {
  for (const identity of identities.filter(isAlive)) {
    try {
      process.kill(identity.pid, name);
    } catch {
      // The process has ended in the meantime.
    }
  }
}

/** Resolves with true as soon as the condition holds, with false after `limitMs`. */
async function untilTrue(condition: () => boolean, limitMs: number): Promise<boolean> {
  const deadline = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > deadline) return false;
    await delay(50);
  }
  return true;
}
