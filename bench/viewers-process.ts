import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

/** A `samples` message that a client received. Times are epoch ms. */
export interface Arrival {
  readonly id: string;
  /** Time of its newest sample. A device publishes a message when it takes the last sample. */
  readonly newest: number;
  readonly receivedAt: number;
}

/** WebSocket clients in a process of their own, so that the CPU time of a platform is not theirs. */
export class Viewers {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Resolves when each of `clients` clients has subscribed to all of the sensors. */
  static async connect(apiPort: number, clients: number, sensorIds: readonly string[]): Promise<Viewers> {
    const child = fork(join(import.meta.dirname, "viewers.ts"), [String(apiPort), String(clients), ...sensorIds], {
      execArgv: ["--disable-warning=ExperimentalWarning"],
    });
    await once(child, "message");
    return new Viewers(child);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  begin(): void {
    this.#child.send("begin");
  }

  /** What arrived since `begin`, of a sample of the frames. */
  async end(): Promise<Arrival[]> {
    this.#child.send("end");
    const [arrivals] = (await once(this.#child, "message")) as [Arrival[]];
    return arrivals;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill();
    await once(this.#child, "exit");
  }
}
