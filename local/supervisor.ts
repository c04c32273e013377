import { setTimeout as delay } from "node:timers/promises";
import type { Milliseconds } from "../domain/time.ts";
import { describeExit, startProcess, type Exit, type ProcessSpec, type RunningProcess } from "./processes/process.ts";

/** A process that the supervisor keeps running (a unit in systemd's sense): a server or a program. */
export interface Unit {
  readonly name: string;
  readonly spec: ProcessSpec;
  /** Resolves when the process serves; rejects when it ends before, or takes too long. */
  readonly ready: (process: RunningProcess) => Promise<void>;
  /** Time between SIGTERM and SIGKILL. */
  readonly stopLimitMs: Milliseconds;
  /** Whether exit code 0 means that the unit is done and is not started again. */
  readonly mayFinish: boolean;
}

export type UnitState = "starting" | "running" | "restarting" | "finished" | "stopped";

export interface UnitStatus {
  readonly state: UnitState;
  readonly pid: number | undefined;
  readonly restarts: number;
}

export interface SupervisorEvents {
  /** A process was started. This is the first call for it. */
  readonly onStarted: (name: string, pid: number) => void;
  /** A process ended although nobody stopped it. The supervisor restarts it after the delay. */
  readonly onDied: (unit: Unit, exit: Exit, restartInMs: Milliseconds) => void;
}

/** A unit that ran this long starts a new row of failures: its next restart comes after the shortest delay. */
const STABLE_MS = 30_000;
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 10_000;

/** Delay before a restart: 0.1 s after the first failure, doubled by each further one in a row, at most 10 s. */
export function restartDelayMs(failuresInARow: number): Milliseconds {
  return Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(failuresInARow - 1, 16));
}

/** Keeps units running: restarts each one that dies, with growing delays, until it is stopped. */
export class Supervisor {
  readonly #units = new Map<string, SupervisedUnit>();
  readonly #events: SupervisorEvents;

  constructor(events: SupervisorEvents) {
    this.#events = events;
  }

  /**
   * Starts a unit; resolves when it serves. Rejects when its first start fails; the unit is then stopped, and not
   * restarted.
   */
  async start(unit: Unit): Promise<void> {
    const supervised = new SupervisedUnit(unit, this.#events);
    this.#units.set(unit.name, supervised);
    await supervised.start();
  }

  /** Starts a unit without waiting for it. A start that fails is repeated. */
  launch(unit: Unit): void {
    const supervised = new SupervisedUnit(unit, this.#events);
    this.#units.set(unit.name, supervised);
    supervised.launch();
  }

  /** Stops units in parallel; resolves when all have ended. Unknown names are skipped. */
  async stop(names: readonly string[]): Promise<void> {
    await Promise.all(names.flatMap((name) => this.#units.get(name)?.stop() ?? []));
  }

  /** Ends all restarts. A terminal's Ctrl-C ends programs before `stop` reaches them; they must stay ended. */
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
    // `stop` may have been called while the process was starting. It then found none to stop.
    if (this.#noRestart.signal.aborted) void running.stop(this.#unit.stopLimitMs);
    return running;
  }

  /** Follows the process and its successors until restarts end. */
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

  /** Starts the process and resolves when it has ended. A process that does not become ready is killed. */
  async #runOnce(): Promise<Exit> {
    let running: RunningProcess;
    try {
      running = await this.#spawn();
    } catch {
      return { code: null, signal: null };
    }
    const onReady = (): void => {
      if (!this.#noRestart.signal.aborted) this.#state = "running";
    };
    this.#unit.ready(running).then(onReady, () => running.kill());
    return await running.exited;
  }

  async #waitBeforeRestart(exit: Exit, ranMs: Milliseconds): Promise<void> {
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
  const when = restartInMs >= 1_000 ? ` in ${Math.round(restartInMs / 1_000)} s` : "";
  return `${unit.name} ended (${describeExit(exit)}). Restarting it${when}. Its log: ${unit.spec.logFile}`;
}
