import { fork, type ChildProcess } from "node:child_process";
import { join } from "node:path";

/** A `samples` message that a client received. Times are epoch ms. */
export interface Arrival {
  readonly id: string;
  /** Time of its newest sample. A device publishes a message when it takes the last sample. */
  readonly newest: number;
  readonly receivedAt: number;
}

export interface Seen {
  /** The messages of a sample of the frames; of all, where there is one client. */
  readonly arrivals: readonly Arrival[];
  /** Connections that the platform has closed. The client came back each time. */
  readonly closed: number;
}

/** Time that subscriptions may take: each client makes one after the other. */
const SUBSCRIBE_LIMIT_MS = 300_000;
const ANSWER_LIMIT_MS = 30_000;

/** WebSocket clients in a process of their own, so that the CPU time of a platform is not theirs. */
export class Viewers {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /**
   * Resolves when each of `clients` clients has once been subscribed to all of the sensors.
   *
   * @throws Error when that takes five minutes
   */
  static async connect(apiPort: number, clients: number, sensorIds: readonly string[]): Promise<Viewers> {
    const child = fork(join(import.meta.dirname, "viewers.ts"), [String(apiPort), String(clients), ...sensorIds], {
      execArgv: ["--disable-warning=ExperimentalWarning"],
    });
    const viewers = new Viewers(child);
    try {
      await viewers.#answer(SUBSCRIBE_LIMIT_MS);
    } catch (error) {
      await viewers.stop();
      throw error;
    }
    return viewers;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  begin(): void {
    this.#child.send("begin");
  }

  /** What was seen since `begin`. */
  async end(): Promise<Seen> {
    this.#child.send("end");
    return (await this.#answer(ANSWER_LIMIT_MS)) as Seen;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill();
    await ended;
  }

  /** The next message of the clients' process. */
  #answer(limitMs: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const fail = (): void => reject(new Error(`the WebSocket clients gave no answer within ${limitMs / 1_000} s`));
      const timer = setTimeout(fail, limitMs);
      this.#child.once("exit", fail);
      this.#child.once("message", (message) => {
        clearTimeout(timer);
        this.#child.off("exit", fail);
        resolve(message);
      });
    });
  }
}
