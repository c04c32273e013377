import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { MillraceError } from "../domain/errors.ts";
import { identify, isAlive, owners, type ProcessIdentity } from "./identity.ts";

/** What a start writes down, so that the next one can end what it left behind. */
interface RunRecord {
  /** The process of `npm start` itself. */
  readonly main: ProcessIdentity;
  readonly owners: readonly ProcessIdentity[];
  readonly processes: Readonly<Record<string, ProcessIdentity>>;
}

/** How long an earlier start that is alive may take to hand over and stop everything, having been told to. */
const STOP_LIMIT_MS = 60_000;
/** How long single processes may take: with their servers gone, there is nothing to hand over to. */
const END_LIMIT_MS = 3_000;

/** The file `run.json` of a home folder: written at every start of a process, removed when all have ended. */
export class RunFile {
  readonly #file: string;
  readonly #record: RunRecord & { processes: Record<string, ProcessIdentity> };

  constructor(home: string) {
    this.#file = join(home, "run.json");
    this.#record = { main: identify(process.pid)!, owners: owners(), processes: {} };
    this.#write();
  }

  add(name: string, pid: number): void {
    const identity = identify(pid);
    if (identity) this.#record.processes[name] = identity;
    this.#write();
  }

  /** False when npm, or the shell it used, is gone: nobody will stop this start any more. */
  isOwned(): boolean {
    return this.#record.owners.every(isAlive);
  }

  remove(): void {
    rmSync(this.#file, { force: true });
  }

  #write(): void {
    writeFileSync(`${this.#file}.new`, JSON.stringify(this.#record));
    renameSync(`${this.#file}.new`, this.#file);
  }
}

/**
 * Ends what an earlier start from this home folder left behind, having been killed.
 *
 * @throws MillraceError `already-running` when that start is alive and well.
 */
export async function endLeftovers(home: string, onProgress: (message: string) => void): Promise<void> {
  const record = read(join(home, "run.json"));
  if (!record) return;
  const left = (): [string, ProcessIdentity][] =>
    Object.entries({ main: record.main, ...record.processes }).filter(([, identity]) => isAlive(identity));
  if (isAlive(record.main) && record.owners.every(isAlive)) {
    throw new MillraceError(
      "already-running",
      `Millrace is running already, as process ${record.main.pid}, with its data in ${home}: stop that one first (Ctrl-C, or kill ${record.main.pid}), or start another one with --home and other ports`,
    );
  }
  if (left().length === 0) return;
  onProgress(
    `ending what an earlier start left: ${left()
      .map(([name, { pid }]) => `${name} (${pid})`)
      .join(", ")}`,
  );
  // A start that is alive ends its own processes, in the right order.
  if (isAlive(record.main)) {
    signal([record.main], "SIGTERM");
    await untilTrue(() => !isAlive(record.main), STOP_LIMIT_MS);
  }
  for (const name of ["SIGTERM", "SIGKILL"] as const) {
    signal(
      left().map(([, identity]) => identity),
      name,
    );
    if (await untilTrue(() => left().length === 0, END_LIMIT_MS)) return;
  }
}

function read(file: string): RunRecord | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as RunRecord;
  } catch {
    // None, or one that a full disk cut off: what it named cannot be known.
    return undefined;
  }
}

function signal(identities: readonly ProcessIdentity[], name: NodeJS.Signals): void {
  for (const identity of identities.filter(isAlive)) {
    try {
      process.kill(identity.pid, name);
    } catch {
      // Gone in between.
    }
  }
}

async function untilTrue(condition: () => boolean, limitMs: number): Promise<boolean> {
  const deadline = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > deadline) return false;
    await delay(50);
  }
  return true;
}
