import { setTimeout as sleep } from "node:timers/promises";
import { systemRuntime } from "../adapters/runtime.ts";
import { interceptPorts } from "../engine/intercept.ts";
import type { EngineObserver, Runtime, TaskPorts } from "../engine/ports.ts";
import { Task, type TaskOptions } from "../engine/task.ts";
import type { MachineFactory } from "../runtime/machine.ts";
import type { DriverTopics } from "./topics.ts";

/** How long an owner may take to process what was appended: it tells what hangs, and slow is not that. */
const LIMIT_MS = 45_000;
/** Every record is committed at once; snapshots are taken when the driver asks, or after a record failed. */
const options: TaskOptions = {
  commitIntervalMs: 0,
  snapshotIntervalMs: Infinity,
  handOverMs: LIMIT_MS,
  backoffMs: { first: 100, most: 1_000 },
};
/** A wait that nobody waits for any more keeps no process alive. */
const runtime: Runtime = { ...systemRuntime, sleep: (ms) => sleep(ms, undefined, { ref: false }) };

const noAnswer = (): Promise<never> => new Promise(() => undefined);

/** Ports for one life of a task, and what takes their connections away. */
export interface OpenedPorts {
  readonly ports: TaskPorts;
  readonly cut: () => void;
}

/**
 * One process's life as the owner of partition 0: the engine's task, without a group, on ports that die with it. After
 * `crash` none of its calls has an effect or an answer, and its connections are gone: to Kafka and DynamoDB it has
 * ended as by `kill -9`. A transaction stays as it was, open.
 */
export class Owner {
  readonly #openPorts: () => OpenedPorts;
  readonly #topics: DriverTopics;
  readonly #opened: OpenedPorts[] = [];
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #task: Task;
  readonly #crash = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  #crashed = false;
  #running = false;
  /** Everything below it is known to be committed. */
  #covered = 0;
  #trouble: unknown;
  #look: () => void = () => undefined;

  /** @param openPorts Gives fresh ports, for each life of the task. @param topics where its outputs go. */
  constructor(factory: MachineFactory, openPorts: () => OpenedPorts, topics: DriverTopics) {
    this.#openPorts = openPorts;
    this.#topics = topics;
    this.#task = new Task(0, {
      factory,
      options,
      runtime,
      observer: this.#observer(),
      openPorts: () => this.#open(),
      confirm: () => this.#alive(() => Promise.resolve(true)),
    });
    // A pipeline that stops by name rejects whatever call waits for it, and every later one.
    this.#ended.promise.catch(() => undefined);
    void this.#task
      .run()
      .then((end) => (end.kind === "handed-over" ? this.#ended.resolve() : this.#ended.reject(end.error)));
  }

  /**
   * Resolves when all records below `offset` are committed, or when it has crashed. @throws MillraceError what stopped
   * the task by name.
   */
  async reach(offset: number): Promise<void> {
    const reached = new Promise<void>((resolve) => {
      this.#look = () => {
        if (this.#running && this.#covered >= offset) resolve();
      };
    });
    this.#look();
    await this.#orCrash(reached, `records below offset ${offset} to be committed`);
  }

  /** Step 7: a last snapshot, and the end. Resolves, too, when it has crashed. */
  async handOver(): Promise<void> {
    this.#task.stop();
    await this.#orCrash(this.#ended.promise, "the task to hand over");
  }

  async #orCrash(awaited: Promise<void>, what: string): Promise<void> {
    const late = new AbortController();
    const limit = sleep(LIMIT_MS, undefined, { signal: late.signal }).then(() => {
      throw new Error(
        `waited ${LIMIT_MS / 1_000} s for ${what}; the task is ${this.#task.phase}, at offset ${this.#covered}`,
        { cause: this.#trouble },
      );
    });
    try {
      await Promise.race([awaited, this.#ended.promise, this.#crash.promise, limit]);
    } finally {
      late.abort();
    }
  }

  /** At once; resolves when what was under way has failed or ended, and nothing is left running. */
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
        fence: () => output.fence(),
        claim: async (token) => {
          const progress = await output.claim(token);
          this.#cover(progress?.nextOffset ?? 0);
          return progress;
        },
        send: async (outputs) => output.send(await this.#topics.address(outputs)),
        commit: async (progress, last) => {
          await output.commit(progress, await this.#topics.address(last));
          this.#cover(progress.nextOffset);
        },
        discard: () => output.discard(),
      },
    };
  }

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

  #cover(offset: number): void {
    this.#covered = Math.max(this.#covered, offset);
    this.#look();
  }

  #observer(): EngineObserver {
    const nothing = (): void => undefined;
    return {
      log: (_level, { err }) => (this.#trouble = err ?? this.#trouble),
      running: () => {
        this.#running = true;
        this.#look();
      },
      restarted: (_task, error) => (this.#trouble = error),
      committed: nothing,
      stepped: nothing,
      snapshotWritten: nothing,
      recovered: nothing,
    };
  }
}
