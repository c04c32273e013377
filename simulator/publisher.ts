import { setTimeout as sleep } from "node:timers/promises";
import { connect, type MqttClient } from "mqtt";
import type { Logger } from "../adapters/log.ts";

export interface PublisherOptions {
  readonly url: string;
  readonly clientId: string;
  /** Maximum number of unacknowledged messages. At this number `ready` waits. */
  readonly maxInFlight: number;
  readonly logger: Logger;
}

const RECONNECT_MS = 500;
const REPUBLISH_MS = 500;
const KEEP_ALIVE_SECONDS = 30;

/**
 * An MQTT 5 client that publishes with QoS 1. It keeps every message until the broker has acknowledged it, across
 * reconnections.
 */
export class Publisher {
  readonly #client: MqttClient;
  readonly #maxInFlight: number;
  #inFlight = 0;
  #wake: (() => void) | null = null;
  #closed = false;

  constructor({ url, clientId, maxInFlight, logger }: PublisherOptions) {
    this.#maxInFlight = maxInFlight;
    this.#client = connect(url, {
      protocolVersion: 5,
      clientId,
      clean: true,
      reconnectPeriod: RECONNECT_MS,
      keepalive: KEEP_ALIVE_SECONDS,
    });
    let lastLogged = "";
    this.#client.on("error", (error) => {
      const text = error.message || String((error as NodeJS.ErrnoException).code);
      if (text !== lastLogged) logger.warn({ err: error, clientId }, "cannot reach the MQTT broker: retrying");
      lastLogged = text;
    });
    this.#client.on("connect", () => (lastLogged = ""));
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Resolves when one more message may be published. There must be one caller at a time. */
  async ready(): Promise<void> {
    while (this.#inFlight >= this.#maxInFlight && !this.#closed)
      await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  /** Publishes a message, and repeats it if necessary. Calls `onAcknowledged` once the broker has acknowledged it. */
  publish(topic: string, payload: Uint8Array, contentType: string, onAcknowledged: () => void): void {
    this.#inFlight++;
    void this.#untilAcknowledged(
      topic,
      Buffer.from(payload.buffer, payload.byteOffset, payload.length),
      contentType,
    ).then((acknowledged) => {
      this.#inFlight--;
      this.#wake?.();
      if (acknowledged) onAcknowledged();
    });
  }

  /** Cuts the connection like a network failure. The client then reconnects. */
  cut(): void {
    this.#client.stream?.destroy();
  }

  /** Waits until all messages are acknowledged, at most `limitMs`, and disconnects. */
  async close(limitMs: number): Promise<void> {
    const deadline = performance.now() + limitMs;
    while (this.#inFlight > 0 && performance.now() < deadline) await sleep(10);
    this.#closed = true;
    this.#wake?.();
    await this.#client.endAsync(this.#inFlight > 0 || !this.#client.connected);
  }

  async #untilAcknowledged(topic: string, payload: Buffer, contentType: string): Promise<boolean> {
    while (!this.#closed) {
      try {
        await this.#client.publishAsync(topic, payload, { qos: 1, properties: { contentType } });
        return true;
      } catch {
        // The broker refused the message (a quota), or the connection closed before the client had stored it.
        await sleep(REPUBLISH_MS);
      }
    }
    return false;
  }
}
