/** Places of a new table, a power of two: most symbols trade little. */
const FIRST_PLACES = 16;
/** A table is made larger when more than one place of so many is taken, */
const FULL = 2;
/** and smaller when fewer than one of so many is. */
const EMPTY = 8;
/** Places that a new id may look at in vain. Beyond, ids are placed anew by another seed: some were chosen to meet. */
const LONGEST_WALK = 64;

/** Where the ids are that the handles lead to. */
export interface Identified {
  /** Whether the id of a trade is the bytes [from, to). */
  hasId(handle: number, bytes: Uint8Array, from: number, to: number): boolean;
  /** `hashOf` its id. */
  hashOf(handle: number, seed: number): number;
}

/**
 * The ids of a symbol's trades, each with the handle of its trade: places by the hash of the id, the next free one
 * where ids meet. It holds numbers alone; the ids themselves are where the handles lead.
 */
export class TradeIds {
  readonly #trades: Identified;
  /** Two numbers for each place: the id's hash, and its handle + 1; 0 for a free place. */
  #places = new Int32Array(2 * FIRST_PLACES);
  #size = 0;
  /** Grows when ids are placed anew because they met too often. */
  seed = 0;

  constructor(trades: Identified) {
    this.#trades = trades;
  }

  get size(): number {
    return this.#size;
  }

  /** The handle of the id that is the bytes [from, to); -1 for one that is not there. */
  find(bytes: Uint8Array, from: number, to: number): number {
    const places = this.#places;
    const mask = places.length - 1;
    const hash = hashOf(bytes, from, to, this.seed);
    let at = (2 * hash) & mask;
    for (; places[at + 1] !== 0; at = (at + 2) & mask) {
      const handle = places[at + 1]! - 1;
      if (places[at] === hash && this.#trades.hasId(handle, bytes, from, to)) return handle;
    }
    return -1;
  }

  /** Adds a trade whose id is not there. */
  add(handle: number): void {
    const hash = this.#trades.hashOf(handle, this.seed);
    const place = this.#free(hash);
    this.#places[place] = hash;
    this.#places[place + 1] = handle + 1;
    this.#size++;
    const count = this.#places.length / 2;
    if (this.#size * FULL > count) this.#placeAnew(2 * count);
    else if (((place / 2 - hash) & (count - 1)) > LONGEST_WALK) {
      this.seed++;
      this.#placeAnew(count, true);
    }
  }

  /** Takes a trade out. Those behind it move up, so that no walk ends too early. */
  delete(handle: number): void {
    const places = this.#places;
    const mask = places.length - 1;
    let free = (2 * this.#trades.hashOf(handle, this.seed)) & mask;
    for (; places[free + 1] !== handle + 1; free = (free + 2) & mask) if (places[free + 1] === 0) return;
    for (let at = (free + 2) & mask; places[at + 1] !== 0; at = (at + 2) & mask) {
      const home = (2 * places[at]!) & mask;
      if (((at - home) & mask) < ((at - free) & mask)) continue;
      places[free] = places[at]!;
      places[free + 1] = places[at + 1]!;
      free = at;
    }
    places[free + 1] = 0;
    this.#size--;
    const count = places.length / 2;
    if (count > FIRST_PLACES && this.#size * EMPTY < count) this.#placeAnew(count / 2);
  }

  /** The first free place for a hash. */
  #free(hash: number): number {
    const places = this.#places;
    const mask = places.length - 1;
    let at = (2 * hash) & mask;
    while (places[at + 1] !== 0) at = (at + 2) & mask;
    return at;
  }

  #placeAnew(count: number, hasOtherSeed = false): void {
    const before = this.#places;
    this.#places = new Int32Array(2 * count);
    for (let i = 0; i < before.length; i += 2) {
      const handle = before[i + 1]!;
      if (handle === 0) continue;
      const hash = hasOtherSeed ? this.#trades.hashOf(handle - 1, this.seed) : before[i]!;
      const at = this.#free(hash);
      this.#places[at] = hash;
      this.#places[at + 1] = handle;
    }
  }
}

/** A hash of 30 bits of the bytes [from, to). */
export function hashOf(bytes: Uint8Array, from: number, to: number, seed: number): number {
  let hash = Math.imul(seed + 1, 0x9e37_79b1);
  for (let i = from; i < to; i++) {
    hash = Math.imul(hash ^ bytes[i]!, 0x85eb_ca6b);
    hash ^= hash >>> 15;
  }
  return hash & 0x3fff_ffff;
}
