import { MAX_FRAME_BYTES } from "../domain/api.ts";
import { droppedText, omittedMessage, type Message } from "./messages.ts";

/** Bounds of the messages that wait for one connection. */
export interface SendQueueLimits {
  /** Bytes of samples. Above it, the oldest are dropped and counted. */
  readonly samplesBytes: number;
  /** Bytes of all other messages, which are never dropped. Above it, the connection is closed. */
  readonly otherBytes: number;
}

/** One message, or a JSON array of several, and what is in it. */
export interface Frame {
  /** Empty when nothing waited. */
  readonly text: string;
  readonly messages: readonly Message[];
}

export const sendQueueLimits: SendQueueLimits = { samplesBytes: 256 * 1024, otherBytes: 4 * 1024 * 1024 };

/** The messages that wait for one connection, in order. */
export class SendQueue {
  readonly #limits: SendQueueLimits;
  #queue: Message[] = [];
  #samplesBytes = 0;
  #otherBytes = 0;
  /** Readings dropped since the last `dropped` message, by sensor. */
  readonly #dropped = new Map<string, number>();

  constructor(limits: SendQueueLimits = sendQueueLimits) {
    this.#limits = limits;
  }

  /** Bytes of all messages that wait. */
  get bytes(): number {
    return this.#samplesBytes + this.#otherBytes;
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0 && this.#dropped.size === 0;
  }

  /** Appends messages. Returns how many readings were dropped for them; null when the connection must be closed. */
  push(messages: readonly Message[]): number | null {
    for (const message of messages) {
      this.#queue.push(message);
      if (message.type === "samples") this.#samplesBytes += message.bytes;
      else this.#otherBytes += message.bytes;
    }
    if (this.#otherBytes > this.#limits.otherBytes) return null;
    return this.#samplesBytes > this.#limits.samplesBytes ? this.#dropOldest() : 0;
  }

  /** Drops the oldest samples down to half of their bound, so that dropping is rare. */
  #dropOldest(): number {
    let total = 0;
    this.#queue = this.#queue.filter((message) => {
      if (message.type !== "samples" || this.#samplesBytes <= this.#limits.samplesBytes / 2) return true;
      this.#samplesBytes -= message.bytes;
      this.#countDropped(message);
      total += message.samples;
      return false;
    });
    return total;
  }

  #countDropped({ sensorId, samples }: Message): void {
    this.#dropped.set(sensorId, (this.#dropped.get(sensorId) ?? 0) + samples);
  }

  /**
   * Tells of messages whose frame will never be accepted: samples by their number, each other one by where it can be
   * read. What told of others is not told again.
   */
  omit(messages: readonly Message[]): void {
    for (const message of messages) {
      if (message.type === "samples") this.#countDropped(message);
      else if (message.record !== null) this.push([omittedMessage(message.record, message.bytes)]);
    }
  }

  /** Removes and returns the next frame: one message, or a JSON array of as many as fit. */
  takeFrame(): Frame {
    const texts: string[] = [];
    // The brackets; `take` adds a comma for each message.
    let bytes = 2;
    const fits = (more: number): boolean => texts.length === 0 || bytes + more + 1 <= MAX_FRAME_BYTES;
    const take = (text: string, size: number): void => {
      texts.push(text);
      bytes += size + 1;
    };
    for (const [sensorId, samples] of this.#dropped) {
      const text = droppedText(sensorId, samples);
      if (!fits(text.length)) break;
      take(text, text.length);
      this.#dropped.delete(sensorId);
    }
    let taken = 0;
    for (const message of this.#queue) {
      if (!fits(message.bytes)) break;
      take(message.text, message.bytes);
      if (message.type === "samples") this.#samplesBytes -= message.bytes;
      else this.#otherBytes -= message.bytes;
      taken++;
    }
    const messages = this.#queue.splice(0, taken);
    return { text: texts.length > 1 ? `[${texts.join(",")}]` : (texts[0] ?? ""), messages };
  }
}
