import { crc32 } from "node:zlib";

/** Values that may wait for one calculation. */
const MAX_WAITING = 512;

/**
 * The chain of a machine: how many outputs there were, and a running CRC-32 over their values, into which each record's
 * topic is mixed, as the CRC-32 of its name.
 *
 * A call of native code costs more than the bytes of an output. So values that lie one behind the other wait, and are
 * calculated at once. A number that is mixed into a CRC-32 is mixed into the four bytes behind it with the same result,
 * so the topics stand in the values meanwhile.
 */
export class Chain {
  #crc = 0;
  #count = 0;
  /** Memory of the values that wait: its bytes [from, to). */
  #memory: Buffer | null = null;
  #from = 0;
  #to = 0;
  /** Where each of them begins, and the number that is mixed in there. */
  readonly #starts = new Int32Array(MAX_WAITING);
  readonly #topics = new Int32Array(MAX_WAITING);
  #waiting = 0;

  /** @param text Continues the chain that `text` gave. @default an empty one */
  constructor(text: string | null) {
    if (text === null) return;
    const [count, crc] = text.split("-");
    this.#count = Number(count);
    this.#crc = Number.parseInt(crc!, 16);
  }

  /** `<outputs so far>-<CRC-32 in hex>` */
  get text(): string {
    this.settle();
    return `${this.#count}-${this.#crc.toString(16).padStart(8, "0")}`;
  }

  /** Adds bytes that are no output of their own. */
  mix(bytes: Uint8Array): void {
    this.settle();
    this.#crc = crc32(bytes, this.#crc);
  }

  /** Adds an output. `topic`: the CRC-32 of its topic. */
  add(topic: number, value: string | Uint8Array): void {
    this.settle();
    this.#crc = crc32(value, (this.#crc ^ topic) >>> 0);
    this.#count++;
  }

  /**
   * Adds an output whose value is at [from, to), four bytes or more. They must stay as they are until `settle` is
   * called.
   */
  addFrom(topic: number, memory: Buffer, from: number, to: number): void {
    if (memory !== this.#memory || from !== this.#to || this.#waiting === MAX_WAITING) {
      this.settle();
      this.#memory = memory;
      this.#from = from;
    }
    this.#starts[this.#waiting] = from;
    this.#topics[this.#waiting++] = topic;
    this.#to = to;
    this.#count++;
  }

  /** Calculates what waits. */
  settle(): void {
    const memory = this.#memory;
    if (memory === null) return;
    this.#mixTopics(memory);
    this.#crc = crc32(memory.subarray(this.#from, this.#to), this.#crc);
    this.#mixTopics(memory); // a second time: takes them out again
    this.#memory = null;
    this.#waiting = 0;
  }

  #mixTopics(memory: Buffer): void {
    for (let i = 0; i < this.#waiting; i++) {
      const at = this.#starts[i]!;
      const topic = this.#topics[i]!;
      memory[at]! ^= topic;
      memory[at + 1]! ^= topic >>> 8;
      memory[at + 2]! ^= topic >>> 16;
      memory[at + 3]! ^= topic >>> 24;
    }
  }
}
