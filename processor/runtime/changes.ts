import { MAX_CHANGES } from "../../domain/controls.ts";
import type { Reader, Writer } from "./codec.ts";

/** Names of what was taken, a change or a dead letter that was sent in again: it has no effect a second time. */
export class Changes {
  /** The oldest first. */
  #taken = new Set<string>();

  has(change: string): boolean {
    return this.#taken.has(change);
  }

  add(change: string): void {
    this.#taken.add(change);
    if (this.#taken.size > MAX_CHANGES) this.#taken.delete(this.#taken.values().next().value!);
  }

  encode(writer: Writer): void {
    writer.u32(this.#taken.size);
    for (const change of this.#taken) writer.text(change);
  }

  decode(reader: Reader): void {
    this.#taken = new Set(Changes.read(reader));
  }

  /** What `encode` wrote, the oldest first. */
  static read(reader: Reader): string[] {
    return Array.from({ length: reader.u32() }, () => reader.text());
  }
}
