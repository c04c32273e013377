import WebSocket from "ws";
import { LOOPBACK } from "../config/local.ts";
import { RecentLatencies, type LatencyPercentiles } from "./status-metrics.ts";

/** Some 30 messages a second: enough for percentiles over `KEEP_MS`. Each more is work for the platform measured. */
const MAX_SENSORS = 3;
const KEEP_MS = 10_000;
const RETRY_MS = 1_000;

/**
 * A client of the platform's own WebSocket. It measures how old the newest sample of each `samples` message is on
 * arrival. A device publishes a message when it takes the last sample, so this is the time from the publish to the
 * WebSocket. It is exact for devices that use this machine's clock.
 */
export class LatencyProbe {
  readonly #apiPort: number;
  readonly #latencies = new RecentLatencies(KEEP_MS);
  readonly #subscribed = new Set<string>();
  #socket: WebSocket | undefined;
  #connectedAtMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(apiPort: number) {
    this.#apiPort = apiPort;
  }

  /** Connects, and subscribes to the first sensors that the REST API lists. Retries until `stop`. */
  start(): void {
    this.#timer = setInterval(() => void this.#tend().catch(() => undefined), RETRY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#socket?.terminate();
  }

  percentiles(): LatencyPercentiles {
    return this.#latencies.percentiles(performance.now());
  }

  async #tend(): Promise<void> {
    if (!this.#socket || this.#socket.readyState === WebSocket.CLOSED) this.#connect();
    const socket = this.#socket;
    // All subscribed sensors are silent. A new connection subscribes to others.
    if (performance.now() - this.#connectedAtMs > KEEP_MS && this.percentiles().p50 === undefined) socket?.terminate();
    if (socket?.readyState !== WebSocket.OPEN || this.#subscribed.size >= MAX_SENSORS) return;
    const response = await fetch(`http://${LOOPBACK}:${this.#apiPort}/sensors?limit=${MAX_SENSORS}`, {
      signal: AbortSignal.timeout(2_000),
    });
    const { items } = (await response.json()) as { items?: { sensorId: string }[] };
    for (const { sensorId } of items ?? []) {
      if (this.#subscribed.has(sensorId) || this.#subscribed.size >= MAX_SENSORS) continue;
      this.#subscribed.add(sensorId);
      socket.send(JSON.stringify({ action: "subscribe", sensorId }));
    }
  }

  #connect(): void {
    this.#subscribed.clear();
    this.#connectedAtMs = performance.now();
    const socket = new WebSocket(`ws://${LOOPBACK}:${this.#apiPort}/`);
    this.#socket = socket;
    // A failed connection also closes, and the next tick connects again.
    socket.on("error", () => undefined);
    socket.on("message", (frame: Buffer) => this.#receive(frame.toString()));
  }

  #receive(frame: string): void {
    const now = Date.now();
    const parsed = JSON.parse(frame) as Message | Message[];
    for (const { type, data } of Array.isArray(parsed) ? parsed : [parsed]) {
      const newest = type === "samples" ? data?.t?.at(-1) : undefined;
      if (newest !== undefined) this.#latencies.add(now - newest, performance.now());
    }
  }
}

interface Message {
  readonly type: string;
  readonly data?: { readonly t?: readonly number[] };
}
