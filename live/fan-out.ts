import { setImmediate, setTimeout as delay } from "node:timers/promises";
import type { Metrics } from "../adapters/metrics.ts";
import type { Milliseconds } from "../domain/time.ts";
import { eventTimeOf, type Message } from "./messages.ts";
import { droppedIn, SendQueue, type Dropped, type Frame } from "./send-queue.ts";

/**
 * What became of a posted frame. `sent`: accepted. `gone`: the connection has ended. `refused`: this frame will never
 * be accepted. `retry`: it may be accepted later.
 */
export type PostOutcome = "sent" | "gone" | "refused" | "retry";

/** The @connections API, and the table of connections. */
export interface ConnectionsPort {
  /** Posts a frame. Never rejects. */
  post(connectionId: string, frame: Frame): Promise<PostOutcome>;
  /** Removes a connection that is gone from the table. */
  forget(connectionId: string): Promise<void>;
  /** Closes a connection and removes it from the table. */
  close(connectionId: string): Promise<void>;
}

/** The clock of the pauses between frames. */
export interface Pacer {
  /** Milliseconds from some moment on; fractions. */
  now(): Milliseconds;
  pause(ms: Milliseconds): Promise<unknown>;
}

const wallPacer: Pacer = { now: () => performance.now(), pause: (ms) => delay(ms) };

/** Rate and retry of the posts, and bounds. */
export interface FanOutOptions {
  /**
   * Frames a second of all connections together, at most. A post costs a fraction of a millisecond of CPU, hardly more
   * for a large frame: so there may be more that are `full`.
   */
  readonly framesPerSecond: { readonly partial: number; readonly full: number };
  /**
   * Bounds of the time from one frame of a connection to its next. Messages that arrive meanwhile share the next frame.
   * The first frame after a pause is sent at once. Later ones fall on multiples of the time, so that connections that
   * get the same messages get the same frames.
   */
  readonly frameIntervalMs: { readonly min: Milliseconds; readonly max: Milliseconds };
  /** Wait before a frame is sent again; it doubles from `first` up to `max`. */
  readonly backoffMs: { readonly first: Milliseconds; readonly max: Milliseconds };
  /** Connections of a process. One more is closed. */
  readonly maxConnections: number;
  /** Bytes that wait for all connections together. Above it, the connection that most wait for is closed. */
  readonly maxWaitingBytes: number;
}

export const fanOutDefaults: FanOutOptions = {
  framesPerSecond: { partial: 500, full: 2_000 },
  frameIntervalMs: { min: 2, max: 100 },
  backoffMs: { first: 50, max: 2_000 },
  maxConnections: 10_000,
  maxWaitingBytes: 128 * 1_024 * 1_024,
};

interface Connection {
  readonly id: string;
  queue: SendQueue;
  pumping: boolean;
  alive: boolean;
}

/**
 * Sends messages to connections: to each one frame at a time, so that they arrive in order, and to many connections at
 * once.
 */
export class FanOut {
  readonly #port: ConnectionsPort;
  readonly #metrics: Metrics;
  readonly #options: FanOutOptions;
  readonly #pacer: Pacer;
  readonly #connections = new Map<string, Connection>();
  /** Connections found gone that the list of connections still has. */
  readonly #gone = new Set<string>();
  /** Number of connections that have messages to send. */
  #pumping = 0;
  /** Bytes that wait for all connections. */
  #waitingBytes = 0;

  constructor(port: ConnectionsPort, metrics: Metrics, options: FanOutOptions = fanOutDefaults, pacer = wallPacer) {
    this.#port = port;
    this.#metrics = metrics;
    this.#options = options;
    this.#pacer = pacer;
  }

  /** Replaces the list of connections. */
  update(connectionIds: ReadonlySet<string>): void {
    for (const id of this.#gone) if (!connectionIds.has(id)) this.#gone.delete(id);
    for (const [id, connection] of this.#connections) if (!connectionIds.has(id)) this.#drop(connection);
    for (const id of connectionIds) {
      if (this.#connections.has(id) || this.#gone.has(id)) continue;
      if (this.#connections.size < this.#options.maxConnections)
        this.#connections.set(id, { id, queue: new SendQueue(), pumping: false, alive: true });
      else this.#close(id);
    }
    this.#metrics.set("live.connections", this.#connections.size);
  }

  /** Queues messages for a connection; ignores a connection that is not in the list. Closes one that is too slow. */
  send(connectionId: string, messages: readonly Message[]): void {
    const connection = this.#connections.get(connectionId);
    if (!connection) return;
    const omitted = messages.filter(({ type }) => type === "omitted").length;
    if (omitted > 0) this.#metrics.add("live.omitted", omitted);
    const dropped = this.#counted(connection, (queue) => queue.push(messages));
    if (dropped === null) {
      this.#drop(connection);
      this.#close(connectionId);
      return;
    }
    this.#countDropped(dropped);
    if (this.#waitingBytes > this.#options.maxWaitingBytes) this.#closeSlowest();
    if (connection.alive && !connection.pumping) void this.#pump(connection);
  }

  /** Bytes that wait for a connection; 0 where it is not in the list. */
  waitingFor(connectionId: string): number {
    return this.#connections.get(connectionId)?.queue.bytes ?? 0;
  }

  /** Whether less waits for all connections than half of what may. */
  get hasRoom(): boolean {
    return this.#waitingBytes < this.#options.maxWaitingBytes / 2;
  }

  #countDropped({ samples, trades }: Dropped): void {
    if (samples > 0) this.#metrics.add("live.dropped-samples", samples);
    if (trades > 0) this.#metrics.add("live.dropped-trades", trades);
  }

  /** Keeps count of the bytes that wait. */
  #counted<T>({ queue }: Connection, change: (queue: SendQueue) => T): T {
    const before = queue.bytes;
    const result = change(queue);
    this.#waitingBytes += queue.bytes - before;
    return result;
  }

  #closeSlowest(): void {
    let slowest: Connection | undefined;
    for (const connection of this.#connections.values())
      if (!slowest || connection.queue.bytes > slowest.queue.bytes) slowest = connection;
    this.#drop(slowest!);
    this.#close(slowest!.id);
  }

  #close(connectionId: string): void {
    this.#gone.add(connectionId);
    this.#metrics.add("live.closed-connections");
    void this.#port.close(connectionId);
  }

  #drop(connection: Connection): void {
    connection.alive = false;
    this.#waitingBytes -= connection.queue.bytes;
    connection.queue = new SendQueue();
    this.#connections.delete(connection.id);
  }

  async #pump(connection: Connection): Promise<void> {
    connection.pumping = true;
    this.#pumping++;
    // Messages of the same read from Kafka share the first frame.
    await setImmediate();
    while (connection.alive && !connection.queue.isEmpty) {
      const started = this.#pacer.now();
      await this.#postUntilDone(
        connection,
        this.#counted(connection, (queue) => queue.takeFrame()),
      );
      const intervalMs = this.#frameIntervalMs(connection.queue.hasFullFrame);
      const rest = intervalMs > 0 ? (Math.floor(started / intervalMs) + 1) * intervalMs - this.#pacer.now() : 0;
      if (rest > 0) await this.#pacer.pause(rest);
    }
    connection.pumping = false;
    this.#pumping--;
  }

  /** The frames a second are shared by the connections that have messages to send. */
  #frameIntervalMs(full: boolean): Milliseconds {
    const { framesPerSecond, frameIntervalMs } = this.#options;
    const shared = (this.#pumping * 1_000) / framesPerSecond[full ? "full" : "partial"];
    return Math.min(frameIntervalMs.max, Math.max(frameIntervalMs.min, shared));
  }

  async #postUntilDone(connection: Connection, frame: Frame): Promise<void> {
    let pauseMs = this.#options.backoffMs.first;
    while (connection.alive) {
      const outcome = await this.#port.post(connection.id, frame);
      if (outcome === "sent") this.#countSent(frame);
      if (outcome === "refused" && connection.alive) this.#omit(connection, frame.messages);
      if (outcome === "gone" && connection.alive) {
        this.#drop(connection);
        this.#gone.add(connection.id);
        await this.#port.forget(connection.id);
      }
      if (outcome !== "retry") return;
      await delay(pauseMs);
      pauseMs = Math.min(2 * pauseMs, this.#options.backoffMs.max);
    }
  }

  #countSent({ messages }: Frame): void {
    this.#metrics.add("live.frames");
    const now = Date.now();
    for (const { record } of messages) {
      const eventTime = record && eventTimeOf(record);
      if (eventTime !== null) this.#metrics.time("live.event-to-visible", now - eventTime);
    }
  }

  #omit(connection: Connection, messages: readonly Message[]): void {
    const omitted = messages.filter(({ droppable, record }) => droppable === null && record !== null);
    this.#metrics.add("live.omitted", omitted.length);
    this.#countDropped(droppedIn(messages));
    this.#counted(connection, (queue) => queue.omit(messages));
  }
}
