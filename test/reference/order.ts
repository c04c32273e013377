import type { Semantics } from "../../domain/semantics.ts";
import type { Message } from "./log.ts";

/** Puts one sensor's messages back into the order of their numbers. */
export class Order {
  private boot: string | undefined;
  /** The number that comes next; undefined until the first message. */
  private next: number | undefined;
  private waiting: Message[] = [];
  private settings: Pick<Semantics, "maxWaitingMessages" | "maxWaitingBytes">;
  constructor(settings: Pick<Semantics, "maxWaitingMessages" | "maxWaitingBytes">) {
    this.settings = settings;
  }

  /** The same order under other settings. */
  under(settings: Pick<Semantics, "maxWaitingMessages" | "maxWaitingBytes">): this {
    this.settings = settings;
    return this;
  }

  /**
   * Takes a message, which is `late` when it comes before what was released.
   *
   * @param isNewBoot It is the first message of its boot
   */
  take(
    message: Message,
    isNewBoot: boolean,
    release: (message: Message) => void,
    late: (message: Message) => void,
  ): void {
    if (this.next === undefined || isNewBoot) {
      this.releaseAll(release);
      this.boot = message.boot;
      this.next = message.seq;
    }
    if (message.boot !== this.boot || message.seq < this.next) {
      late(message);
      return;
    }
    this.waiting.push(message);
    this.releaseUpTo(this.next, release);
    const { maxWaitingMessages, maxWaitingBytes } = this.settings;
    while (this.waiting.length > maxWaitingMessages || this.bytes() > maxWaitingBytes)
      this.releaseUpTo(this.waiting[0]!.seq, release);
  }

  /** Eight for each time and each of the six values of a sample. */
  private bytes(): number {
    return this.waiting.reduce((sum, message) => sum + 8 * 7 * message.t.length, 0);
  }

  /** Releases the waiting messages whose first sample the watermark has passed, and all before them. */
  watermark(watermark: number, release: (message: Message) => void): void {
    const passed = this.waiting.filter((message) => watermark >= message.t[0]!);
    if (passed.length > 0) this.releaseUpTo(Math.max(...passed.map((message) => message.seq)), release);
  }

  releaseAll(release: (message: Message) => void): void {
    this.releaseUpTo(Infinity, release);
  }

  /** Releases all up to a number, and then what follows it without a gap. */
  private releaseUpTo(last: number, release: (message: Message) => void): void {
    this.waiting.sort((a, b) => a.seq - b.seq);
    while (this.waiting.length > 0 && (this.waiting[0]!.seq <= last || this.waiting[0]!.seq === this.next)) {
      const message = this.waiting.shift()!;
      this.next = message.seq + 1;
      release(message);
    }
  }
}
