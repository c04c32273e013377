import { setTimeout as delay } from "node:timers/promises";
import { describeExit, startProcess, type Exit, type ProcessSpec, type RunningProcess } from "./process.ts";

/** Something that has to run: a server or a program. */
export interface Unit {
  readonly name: string;
  readonly spec: ProcessSpec;
  /** Resolves when it serves, rejects when it does not come up. */
  readonly ready: (process: RunningProcess) => Promise<void>;
  /** How long it may take to end after SIGTERM. */
  readonly stopLimitMs: number;
  /** True when ending with exit code 0 means that it is done: it is not started again. */
  readonly mayFinish: boolean;
}

export type UnitState = "starting" | "running" | "restarting" | "finished" | "stopped";

export interface UnitStatus {
  readonly state: UnitState;
  readonly pid: number | undefined;
  readonly restarts: number;
}

export interface SupervisorEvents {
  /** A process was started; comes before anything else about it. */
  readonly onStarted: (name: string, pid: number) => void;
  /** It ended without being told to, and will be started again after the delay. */
  readonly onDied: (unit: Unit, exit: Exit, restartInMs: number) => void;
}

/** A unit that ran at least this long is not failing over and over: its next restart comes at once. */
const STABLE_MS = 30_000;
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 10_000;

/** Wait before a restart: 0.1 s at first, doubling with each failure in a row, at most 10 s. */
export function restartDelayMs(failuresInARow: number): number {
  return Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(failuresInARow - 1, 16));
}

/** Keeps units running: starts again what dies, bounded in rate, until it is told to stop. */
export class Supervisor {
  readonly #units = new Map<string, SupervisedUnit>();
  readonly #events: SupervisorEvents;

  constructor(events: SupervisorEvents) {
    this.#events = events;
  }

  /**
   * Starts a unit; resolves when it serves. Rejects when it can't be started or does not come up the first time; it is
   * then not kept.
   */
  async start(unit: Unit): Promise<void> {
    const supervised = new SupervisedUnit(unit, this.#events);
    this.#units.set(unit.name, supervised);
    await supervised.start();
  }

  /** Starts a unit without waiting for it: when it does not come up, it is started again. */
  launch(unit: Unit): void {
    const supervised = new SupervisedUnit(unit, this.#events);
    this.#units.set(unit.name, supervised);
    supervised.launch();
  }

  /** Stops units, all at once; resolves when they have ended. Unknown names are skipped. */
  async stop(names: readonly string[]): Promise<void> {
    await Promise.all(names.flatMap((name) => this.#units.get(name)?.stop() ?? []));
  }

  /** From now on nothing is started again: a terminal's Ctrl-C ends programs that have not been told to stop yet. */
  endRestarts(): void {
    for (const unit of this.#units.values()) unit.endRestarts();
  }

  status(): ReadonlyMap<string, UnitStatus> {
    return new Map([...this.#units].map(([name, unit]) => [name, unit.status()]));
  }
}

class SupervisedUnit {
  readonly #unit: Unit;
  readonly #events: SupervisorEvents;
  readonly #noRestart = new AbortController();
  #state: UnitState = "starting";
  #process: RunningProcess | undefined;
  #restarts = 0;
  #failuresInARow = 0;
  #loop: Promise<void> = Promise.resolve();

  constructor(unit: Unit, events: SupervisorEvents) {
    this.#unit = unit;
    this.#events = events;
  }

  status(): UnitStatus {
    return { state: this.#state, pid: this.#process?.pid, restarts: this.#restarts };
  }

  async start(): Promise<void> {
    const startedAt = performance.now();
    const running = await this.#spawn();
    try {
      await this.#unit.ready(running);
    } catch (error) {
      await this.stop();
      throw error;
    }
    this.#state = "running";
    this.#loop = this.#supervise(running, startedAt);
  }

  launch(): void {
    this.#loop = this.#supervise(undefined, 0);
  }

  endRestarts(): void {
    this.#noRestart.abort();
  }

  async stop(): Promise<void> {
    this.#noRestart.abort();
    await this.#process?.stop(this.#unit.stopLimitMs);
    await this.#loop;
    this.#state = "stopped";
  }

  async #spawn(): Promise<RunningProcess> {
    const running = await startProcess(this.#unit.spec);
    this.#process = running;
    this.#events.onStarted(this.#unit.name, running.pid);
    // A stop may have come while the process was being started, and found none.
    if (this.#noRestart.signal.aborted) void running.stop(this.#unit.stopLimitMs);
    return running;
  }

  /** Follows the process, and each one after it, until told to stop. */
  async #supervise(first: RunningProcess | undefined, firstStartedAt: number): Promise<void> {
    let running = first;
    let startedAt = firstStartedAt;
    while (running || !this.#noRestart.signal.aborted) {
      if (!running) startedAt = performance.now();
      const exit = await (running?.exited ?? this.#runOnce());
      running = undefined;
      if (this.#noRestart.signal.aborted) return;
      if (exit.code === 0 && this.#unit.mayFinish) {
        this.#state = "finished";
        return;
      }
      await this.#waitBeforeRestart(exit, performance.now() - startedAt);
    }
  }

  /** Starts the process and resolves when it has ended; one that does not come up is killed. */
  async #runOnce(): Promise<Exit> {
    let running: RunningProcess;
    try {
      running = await this.#spawn();
    } catch {
      return { code: null, signal: null };
    }
    const up = (): void => {
      if (!this.#noRestart.signal.aborted) this.#state = "running";
    };
    this.#unit.ready(running).then(up, () => running.kill());
    return await running.exited;
  }

  async #waitBeforeRestart(exit: Exit, ranMs: number): Promise<void> {
    this.#state = "restarting";
    this.#restarts++;
    this.#failuresInARow = ranMs >= STABLE_MS ? 1 : this.#failuresInARow + 1;
    const waitMs = restartDelayMs(this.#failuresInARow);
    this.#events.onDied(this.#unit, exit, waitMs);
    await delay(waitMs, undefined, { signal: this.#noRestart.signal }).catch(() => undefined);
  }
}

/** One sentence for the status display. */
export function describeDeath(unit: Unit, exit: Exit, restartInMs: number): string {
  return `${unit.name} ended (${describeExit(exit)}); starting it again${restartInMs >= 1_000 ? ` in ${Math.round(restartInMs / 1_000)} s` : ""}; its log: ${unit.spec.logFile}`;
}
