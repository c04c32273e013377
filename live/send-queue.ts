import { hash } from "node:crypto";
import { MAX_FRAME_BYTES } from "../domain/api.ts";
import { droppedText, omittedMessage, type Message, type Subject } from "./messages.ts";

/** Bounds of the messages that wait for one connection. */
export interface SendQueueLimits {
  /** Bytes of samples and trades. Above it, the oldest are dropped and counted. */
  readonly droppableBytes: number;
  /** Bytes of all other messages, which are never dropped. Above it, the connection is closed. */
  readonly otherBytes: number;
}

/** One message, or a JSON array of several, and what is in it. Connections that get the same messages share it. */
export class Frame {
  /** Empty when nothing waited. */
  readonly text: string;
  readonly messages: readonly Message[];
  #body: Buffer | undefined;
  #sha256: string | undefined;

  constructor(text: string, messages: readonly Message[]) {
    this.text = text;
    this.messages = messages;
  }

  /** `text` in UTF-8. */
  get body(): Buffer {
    return (this.#body ??= Buffer.from(this.text));
  }

  /** Hash of `body`, in hex. */
  get sha256(): string {
    return (this.#sha256 ??= hash("sha256", this.body));
  }
}

/** The last frame that began with a message. */
const lastFrames = new WeakMap<Message, Frame>();

export const sendQueueLimits: SendQueueLimits = { droppableBytes: 256 * 1024, otherBytes: 4 * 1024 * 1024 };

/** Readings and trades that were dropped. */
export interface Dropped {
  readonly samples: number;
  readonly trades: number;
}

/** The messages that wait for one connection, in order. */
export class SendQueue {
  readonly #limits: SendQueueLimits;
  #queue: Message[] = [];
  #droppableBytes = 0;
  #otherBytes = 0;
  /** Readings and trades dropped since the last `dropped` message, by what they are about. */
  readonly #dropped = new Map<string, { readonly subject: Subject; readonly count: number }>();

  constructor(limits: SendQueueLimits = sendQueueLimits) {
    this.#limits = limits;
  }

  /** Bytes of all messages that wait. */
  get bytes(): number {
    return this.#droppableBytes + this.#otherBytes;
  }

  /** Whether more waits than fits into a frame. */
  get hasFullFrame(): boolean {
    return this.bytes >= MAX_FRAME_BYTES;
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0 && this.#dropped.size === 0;
  }

  /** Appends messages. Returns what was dropped for them; null when the connection must be closed. */
  push(messages: readonly Message[]): Dropped | null {
    for (const message of messages) {
      this.#queue.push(message);
      this.#count(message, message.bytes);
    }
    if (this.#otherBytes > this.#limits.otherBytes) return null;
    return this.#droppableBytes > this.#limits.droppableBytes ? this.#dropOldest() : droppedIn([]);
  }

  #count({ droppable }: Message, bytes: number): void {
    if (droppable === null) this.#otherBytes += bytes;
    else this.#droppableBytes += bytes;
  }

  /** Drops the oldest samples and trades down to half of their bound, so that dropping is rare. */
  #dropOldest(): Dropped {
    const dropped: Message[] = [];
    this.#queue = this.#queue.filter((message) => {
      if (message.droppable === null || this.#droppableBytes <= this.#limits.droppableBytes / 2) return true;
      this.#count(message, -message.bytes);
      this.#noteDropped(message.subject, message.droppable);
      dropped.push(message);
      return false;
    });
    return droppedIn(dropped);
  }

  #noteDropped(subject: Subject, count: number): void {
    const key = JSON.stringify(subject);
    this.#dropped.set(key, { subject, count: (this.#dropped.get(key)?.count ?? 0) + count });
  }

  /**
   * Tells of messages whose frame will never be accepted: samples and trades by their number, each other one by where
   * it can be read. What told of others is not told again.
   */
  omit(messages: readonly Message[]): void {
    for (const message of messages) {
      if (message.droppable !== null) this.#noteDropped(message.subject, message.droppable);
      else if (message.record !== null) this.push([omittedMessage(message.record, message.bytes)]);
    }
  }

  /** Removes and returns the next frame: one message, or a JSON array of as many as fit. */
  takeFrame(): Frame {
    const notices: string[] = [];
    // The brackets; `fits` adds a comma for each message.
    let bytes = 2;
    let count = 0;
    const fits = (more: number): boolean => {
      if (count > 0 && bytes + more + 1 > MAX_FRAME_BYTES) return false;
      bytes += more + 1;
      count++;
      return true;
    };
    for (const [key, { subject, count: lost }] of this.#dropped) {
      const text = droppedText(subject, lost);
      if (!fits(text.length)) break;
      notices.push(text);
      this.#dropped.delete(key);
    }
    let taken = 0;
    for (const message of this.#queue) {
      if (!fits(message.bytes)) break;
      this.#count(message, -message.bytes);
      taken++;
    }
    const messages = this.#queue.splice(0, taken);
    return notices.length > 0 ? frameOf(notices, messages) : sharedFrame(messages);
  }
}

function frameOf(notices: readonly string[], messages: readonly Message[]): Frame {
  const texts = [...notices, ...messages.map(({ text }) => text)];
  return new Frame(texts.length > 1 ? `[${texts.join(",")}]` : (texts[0] ?? ""), messages);
}

/** The frame of these messages: the one that another connection got, if it was the same. */
function sharedFrame(messages: readonly Message[]): Frame {
  const first = messages[0];
  const last = first && lastFrames.get(first);
  if (last?.messages.length === messages.length && messages.every((message, i) => message === last.messages[i]))
    return last;
  const frame = frameOf([], messages);
  if (first) lastFrames.set(first, frame);
  return frame;
}

/** What is lost with messages. */
export function droppedIn(messages: readonly Message[]): Dropped {
  let [samples, trades] = [0, 0];
  for (const { type, droppable } of messages)
    if (type === "trade") trades += droppable ?? 0;
    else samples += droppable ?? 0;
  return { samples, trades };
}
