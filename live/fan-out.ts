import { setImmediate, setTimeout as delay } from "node:timers/promises";
import type { Metrics } from "../adapters/metrics.ts";
import type { Milliseconds } from "../domain/time.ts";
import type { Message } from "./messages.ts";
import { SendQueue } from "./send-queue.ts";

/** What became of a frame that was posted to a connection. */
export type PostOutcome = "sent" | "gone" | "refused" | "retry";

/** The @connections API, and the table of connections. */
export interface ConnectionsPort {
  /** Never rejects. `refused`: this frame will never be taken; `retry`: later perhaps. */
  post(connectionId: string, frame: string): Promise<PostOutcome>;
  /** Forgets a connection that is gone. */
  forget(connectionId: string): Promise<void>;
  /** Closes a connection. */
  close(connectionId: string): Promise<void>;
}

export interface FanOutOptions {
  /**
   * Frames that all connections together are sent at most: a post costs a fraction of a millisecond of CPU, whatever is
   * in it.
   */
  readonly framesPerSecond: number;
  /**
   * Bounds of the time from one frame of a connection to its next; what comes meanwhile shares a frame. After a rest
   * the first goes at once.
   */
  readonly frameIntervalMs: { readonly min: Milliseconds; readonly max: Milliseconds };
  readonly backoffMs: { readonly first: Milliseconds; readonly max: Milliseconds };
}

export const fanOutDefaults: FanOutOptions = {
  framesPerSecond: 500,
  frameIntervalMs: { min: 2, max: 100 },
  backoffMs: { first: 50, max: 2_000 },
};

interface Connection {
  readonly id: string;
  readonly queue: SendQueue;
  pumping: boolean;
  alive: boolean;
}

/**
 * Sends messages to connections: one frame at a time to each, so that they arrive in order, and many connections at
 * once.
 */
export class FanOut {
  readonly #port: ConnectionsPort;
  readonly #metrics: Metrics;
  readonly #options: FanOutOptions;
  readonly #connections = new Map<string, Connection>();
  /** Connections found gone, until the list of connections has none of them any more. */
  readonly #gone = new Set<string>();
  /** Connections that have something to send. */
  #pumping = 0;

  constructor(port: ConnectionsPort, metrics: Metrics, options: FanOutOptions = fanOutDefaults) {
    this.#port = port;
    this.#metrics = metrics;
    this.#options = options;
  }

  /** Takes over the list of connections as it is now. */
  update(connectionIds: ReadonlySet<string>): void {
    for (const id of this.#gone) if (!connectionIds.has(id)) this.#gone.delete(id);
    for (const [id, connection] of this.#connections) if (!connectionIds.has(id)) this.#drop(connection);
    for (const id of connectionIds)
      if (!this.#connections.has(id) && !this.#gone.has(id))
        this.#connections.set(id, { id, queue: new SendQueue(), pumping: false, alive: true });
    this.#metrics.set("live.connections", this.#connections.size);
  }

  give(connectionId: string, messages: readonly Message[]): void {
    const connection = this.#connections.get(connectionId);
    if (!connection) return;
    const dropped = connection.queue.push(messages);
    if (dropped === null) {
      this.#drop(connection);
      this.#gone.add(connectionId);
      void this.#port.close(connectionId);
      return;
    }
    if (dropped > 0) this.#metrics.add("live.dropped-samples", dropped);
    if (!connection.pumping) void this.#pump(connection);
  }

  #drop(connection: Connection): void {
    connection.alive = false;
    this.#connections.delete(connection.id);
  }

  async #pump(connection: Connection): Promise<void> {
    connection.pumping = true;
    this.#pumping++;
    // Whatever else the same read from Kafka brings for this connection goes into the same frame.
    await setImmediate();
    while (connection.alive && !connection.queue.isEmpty) {
      const started = performance.now();
      await this.#postUntilDone(connection, connection.queue.takeFrame());
      const rest = this.#frameIntervalMs() - (performance.now() - started);
      if (rest > 0) await delay(rest);
    }
    connection.pumping = false;
    this.#pumping--;
  }

  /** Only connections that have something to send share the frames. */
  #frameIntervalMs(): Milliseconds {
    const { framesPerSecond, frameIntervalMs } = this.#options;
    return Math.min(frameIntervalMs.max, Math.max(frameIntervalMs.min, (this.#pumping * 1_000) / framesPerSecond));
  }

  async #postUntilDone(connection: Connection, frame: string): Promise<void> {
    for (
      let pause = this.#options.backoffMs.first;
      connection.alive;
      pause = Math.min(2 * pause, this.#options.backoffMs.max)
    ) {
      const outcome = await this.#port.post(connection.id, frame);
      if (outcome === "sent") this.#metrics.add("live.frames");
      if (outcome === "gone") {
        this.#drop(connection);
        this.#gone.add(connection.id);
        await this.#port.forget(connection.id);
      }
      if (outcome !== "retry") return;
      await delay(pause);
    }
  }
}
