import { setTimeout as sleep } from "node:timers/promises";
import { systemRuntime } from "../adapters/runtime.ts";
import { CommitBudget } from "../engine/commit-budget.ts";
import { interceptPorts } from "../engine/intercept.ts";
import type { EngineObserver, Runtime, TaskPorts } from "../engine/ports.ts";
import { Turns } from "../engine/suspects.ts";
import { defaultTaskOptions, type TaskOptions } from "../engine/task-options.ts";
import { Task } from "../engine/task.ts";
import type { MachineFactory } from "../runtime/machine.ts";
import type { DriverTopics } from "./topics.ts";

/** How long an owner may take for one call of the driver. Far longer than it should, so that only a hang exceeds it. */
const LIMIT_MS = 45_000;
/** Commits every batch at once. Takes a snapshot only at a hand-over, and after the pipeline's code threw. */
const options: TaskOptions = {
  ...defaultTaskOptions,
  commitIntervalMs: 0,
  transactionsPerSecond: Infinity,
  progressIntervalMs: 0,
  snapshotIntervalMs: Infinity,
  handOverMs: LIMIT_MS,
  backoffMs: { first: 100, most: 1_000 },
};
/** A sleep here does not keep Node alive: a crashed task may be in one. */
const runtime: Runtime = { ...systemRuntime, sleep: (ms) => sleep(ms, undefined, { ref: false }) };

/** The answer to a call of a process that has crashed. */
const noAnswer = (): Promise<never> => new Promise(() => undefined);

/** Ports for one life of a task. `cut` destroys their connections. */
export interface OpenedPorts {
  readonly ports: TaskPorts;
  readonly cut: () => void;
}

/**
 * A process that owns partition 0: the engine's task, without a group, on ports that can die. After `crash` none of its
 * calls has an effect or an answer, and its connections are gone. To Kafka and DynamoDB this looks like `kill -9`: an
 * open transaction stays open.
 */
export class Owner {
  readonly #openPorts: () => OpenedPorts;
  readonly #topics: DriverTopics;
  /** Ports of all lives so far. */
  readonly #opened: OpenedPorts[] = [];
  /** Calls to ports that have no answer yet. */
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #task: Task;
  readonly #crash = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  #crashed = false;
  #running = false;
  /** Records below this offset are committed. */
  #committed = 0;
  /** The last error that the task reported, for the message of a hang. */
  #lastError: unknown;
  /** Called when `#running` or `#committed` has changed. */
  #onProgress: () => void = () => undefined;

  /**
   * @param openPorts Gives fresh ports for each life of the task.
   * @param topics Where its outputs go.
   */
  constructor(factory: MachineFactory, openPorts: () => OpenedPorts, topics: DriverTopics) {
    this.#openPorts = openPorts;
    this.#topics = topics;
    this.#task = new Task(0, {
      factory,
      options,
      runtime,
      observer: this.#observer(),
      waiting: { bytes: 0 },
      turns: new Turns(),
      budget: new CommitBudget(options.transactionsPerSecond),
      openPorts: () => this.#open(),
      confirm: () => this.#alive(() => Promise.resolve(true)),
    });
    // A task that stops with a named error rejects the call that waits for it, and every later call.
    this.#ended.promise.catch(() => undefined);
    void this.#task.run().then((end) => {
      if (end.kind === "handed-over") this.#ended.resolve();
      else this.#ended.reject(end.error);
    });
  }

  /**
   * Resolves when all records below `offset` are committed, or when the owner has crashed.
   *
   * @throws MillraceError the named error with which the task stopped
   */
  async reach(offset: number): Promise<void> {
    const reached = new Promise<void>((resolve) => {
      this.#onProgress = () => {
        if (this.#running && this.#committed >= offset) resolve();
      };
    });
    this.#onProgress();
    await this.#orCrash(reached, `records below offset ${offset} to be committed`);
  }

  /** Step 7: takes a last snapshot and ends. Also resolves when the owner has crashed. */
  async handOver(): Promise<void> {
    this.#task.stop();
    await this.#orCrash(this.#ended.promise, "the task to hand over");
  }

  async #orCrash(awaited: Promise<void>, what: string): Promise<void> {
    const late = new AbortController();
    const limit = sleep(LIMIT_MS, undefined, { signal: late.signal }).then(() => {
      throw new Error(
        `waited ${LIMIT_MS / 1_000} s for ${what}; the task is ${this.#task.phase}, at offset ${this.#committed}`,
        { cause: this.#lastError },
      );
    });
    try {
      await Promise.race([awaited, this.#ended.promise, this.#crash.promise, limit]);
    } finally {
      late.abort();
    }
  }

  /** Takes effect at once. Resolves when nothing is under way any more. */
  async crash(): Promise<void> {
    this.#crashed = true;
    this.#crash.resolve();
    for (const { ports, cut } of this.#opened) {
      cut();
      ports.input.close();
    }
    await Promise.allSettled([...this.#underWay, ...this.#opened.map(({ ports }) => ports.output.discard())]);
  }

  #open(): TaskPorts {
    const opened = this.#openPorts();
    this.#opened.push(opened);
    const { input, output, snapshots } = interceptPorts(opened.ports, (_call, work) => this.#alive(work));
    return {
      input,
      snapshots,
      output: {
        standing: () => output.standing(),
        hold: (hold) => output.hold(hold),
        fence: () => output.fence(),
        attempt: (attempt) => output.attempt(attempt),
        claim: async (token, attempt) => {
          const progress = await output.claim(token, attempt);
          this.#setCommitted(progress?.nextOffset ?? 0);
          return progress;
        },
        send: async (outputs) => output.send(await this.#topics.address(outputs)),
        commit: async (progress, last, withGroupOffset) => {
          await output.commit(progress, await this.#topics.address(last), withGroupOffset);
          this.#setCommitted(progress.nextOffset);
        },
        discard: () => output.discard(),
      },
    };
  }

  /** Makes a call to a port. After a crash it has no effect and no answer. */
  #alive<T>(work: () => Promise<T>): Promise<T> {
    if (this.#crashed) return noAnswer();
    const begun = work().finally(() => this.#underWay.delete(begun));
    this.#underWay.add(begun);
    return begun.then(
      (answer) => (this.#crashed ? noAnswer() : answer),
      (error: unknown) => {
        if (this.#crashed) return noAnswer();
        throw error;
      },
    );
  }

  #setCommitted(offset: number): void {
    this.#committed = Math.max(this.#committed, offset);
    this.#onProgress();
  }

  #observer(): EngineObserver {
    const ignore = (): void => undefined;
    return {
      log: (_level, { err }) => (this.#lastError = err ?? this.#lastError),
      running: () => {
        this.#running = true;
        this.#onProgress();
      },
      restarted: (_task, error) => (this.#lastError = error),
      committed: ignore,
      stepped: ignore,
      snapshotWritten: ignore,
      recovered: ignore,
    };
  }
}
