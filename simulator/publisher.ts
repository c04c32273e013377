import { setTimeout as sleep } from "node:timers/promises";
import { connect, type MqttClient } from "mqtt";
import type { Logger } from "../adapters/log.ts";

export interface PublisherOptions {
  readonly url: string;
  readonly clientId: string;
  /** Messages that may be unacknowledged; `ready` waits beyond that. */
  readonly maxInFlight: number;
  readonly logger: Logger;
}

const RECONNECT_MS = 500;
const REPUBLISH_MS = 500;
const KEEP_ALIVE_SECONDS = 30;

/**
 * One MQTT 5 connection that publishes with QoS 1 and keeps every message until the broker has acknowledged it, over as
 * many connections as that takes.
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
    let told = "";
    this.#client.on("error", (error) => {
      const text = error.message || String((error as NodeJS.ErrnoException).code);
      if (text !== told) logger.warn({ clientId, error: text }, "cannot reach the MQTT broker; trying again");
      told = text;
    });
    this.#client.on("connect", () => (told = ""));
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Resolves when one more message may be published. One caller at a time. */
  async ready(): Promise<void> {
    while (this.#inFlight >= this.#maxInFlight && !this.#closed)
      await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  /** Publishes; `onAcknowledged` is called when the broker has taken the message, however often it had to be sent. */
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

  /** Cuts the connection as a lost network does; it comes back by itself. */
  cut(): void {
    this.#client.stream?.destroy();
  }

  /** Waits until all is acknowledged, at most `limitMs`, and disconnects. */
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
        // Refused (a quota), or the connection closed before the client had stored it.
        await sleep(REPUBLISH_MS);
      }
    }
    return false;
  }
}
