import { deliveryLimits } from "../../domain/delivery-processors.ts";

/** Rows that are one record of Firehose, which takes all of them or none. */
export interface Packed<R> {
  /** The records that the rows came from; one of several rows may be there several times. */
  readonly records: readonly R[];
  readonly data: Uint8Array;
}

/** Packs rows into as few records of Firehose as its limits allow, in order. A larger row is alone. */
export class Packer<R> {
  readonly #packed: Packed<R>[] = [];
  /** Rows are written here one by one: as texts, all of an event would be in memory at once. */
  readonly #buffer = Buffer.allocUnsafe(deliveryLimits.recordBytes);
  #records: R[] = [];
  #bytes = 0;

  /**
   * Adds a row.
   *
   * @param line One line of JSON, with its line feed.
   */
  add(record: R, line: string): void {
    const bytes = Buffer.byteLength(line);
    if (this.#records.length >= deliveryLimits.recordRows || this.#bytes + bytes > this.#buffer.length) this.#seal();
    if (bytes > this.#buffer.length) {
      this.#packed.push({ records: [record], data: Buffer.from(line) });
      return;
    }
    this.#buffer.write(line, this.#bytes);
    this.#records.push(record);
    this.#bytes += bytes;
  }

  /** All rows that were added, packed. */
  get packed(): readonly Packed<R>[] {
    this.#seal();
    return this.#packed;
  }

  #seal(): void {
    if (this.#records.length === 0) return;
    this.#packed.push({ records: this.#records, data: Buffer.from(this.#buffer.subarray(0, this.#bytes)) });
    this.#records = [];
    this.#bytes = 0;
  }
}

/** Splits items, in order, into groups of at most `count` items and `bytes` bytes. A larger item is alone. */
export function split<T extends { readonly data: Uint8Array }>(
  items: readonly T[],
  limits: { readonly count: number; readonly bytes: number },
): T[][] {
  const groups: T[][] = [];
  let bytes = 0;
  for (const item of items) {
    const size = item.data.length;
    const group = groups.at(-1);
    if (!group || group.length >= limits.count || bytes + size > limits.bytes) {
      groups.push([item]);
      bytes = size;
    } else {
      group.push(item);
      bytes += size;
    }
  }
  return groups;
}

/** Attempts for one record. After them, the event source delivers it again. */
export const MAX_ATTEMPTS = 6;

/**
 * Milliseconds to wait before a retry (`attempt` is 1 for the first): 100 ms, doubled for each further one, times a
 * random factor from 0.5 to 1. `random` is in [0, 1).
 */
export function backoffMs(attempt: number, random: number): number {
  return 100 * 2 ** (attempt - 1) * (0.5 + random / 2);
}
