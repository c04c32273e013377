/** Places of a new table, a power of two: most symbols trade little. */
const FIRST_PLACES = 16;
/** A table is made larger when more than one place of so many is taken, */
const FULL = 2;
/** and smaller when fewer than one of so many is. */
const EMPTY = 8;
/** Places that a new id may look at in vain. Beyond, ids are placed anew by another seed: some were chosen to meet. */
const LONGEST_WALK = 64;

/**
 * The ids of a symbol's trades, each with the handle of its trade: places by the hash of the id, the next free one
 * where ids meet. It holds numbers alone; the ids themselves are where the handles lead.
 */
export class TradeIds {
  readonly #idOf: (handle: number) => string;
  /** Two numbers for each place: the id's hash, and its handle + 1; 0 for a free place. */
  #places = new Int32Array(2 * FIRST_PLACES);
  #size = 0;
  /** Grows when ids are placed anew because they met too often. */
  seed = 0;

  constructor(idOf: (handle: number) => string) {
    this.#idOf = idOf;
  }

  get size(): number {
    return this.#size;
  }

  /** The handle of an id; -1 for one that is not there. */
  find(id: string): number {
    return this.#places[this.#placeOf(id, hashOf(id, this.seed)) + 1]! - 1;
  }

  /** Sets the handle of an id. */
  set(id: string, handle: number): void {
    const hash = hashOf(id, this.seed);
    const place = this.#placeOf(id, hash);
    const isNew = this.#places[place + 1] === 0;
    this.#places[place] = hash;
    this.#places[place + 1] = handle + 1;
    if (!isNew) return;
    this.#size++;
    const count = this.#places.length / 2;
    if (this.#size * FULL > count) this.#placeAnew(2 * count);
    else if (((place / 2 - hash) & (count - 1)) > LONGEST_WALK) {
      this.seed++;
      this.#placeAnew(count);
    }
  }

  /** Those behind it move up, so that no walk ends too early. */
  delete(id: string): void {
    const places = this.#places;
    const mask = places.length - 1;
    let free = this.#placeOf(id, hashOf(id, this.seed));
    if (places[free + 1] === 0) return;
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

  /** Where an id is, or where it would be. */
  #placeOf(id: string, hash: number): number {
    const places = this.#places;
    const mask = places.length - 1;
    let at = (2 * hash) & mask;
    while (places[at + 1] !== 0 && !(places[at] === hash && this.#idOf(places[at + 1]! - 1) === id))
      at = (at + 2) & mask;
    return at;
  }

  #placeAnew(count: number): void {
    const before = this.#places;
    const places = new Int32Array(2 * count);
    const mask = places.length - 1;
    for (let i = 0; i < before.length; i += 2) {
      const handle = before[i + 1]!;
      if (handle === 0) continue;
      const hash = hashOf(this.#idOf(handle - 1), this.seed);
      let at = (2 * hash) & mask;
      while (places[at + 1] !== 0) at = (at + 2) & mask;
      places[at] = hash;
      places[at + 1] = handle;
    }
    this.#places = places;
  }
}

/** A hash of 30 bits. */
export function hashOf(id: string, seed: number): number {
  let hash = Math.imul(seed + 1, 0x9e37_79b1);
  for (let i = 0; i < id.length; i++) {
    hash = Math.imul(hash ^ id.charCodeAt(i), 0x85eb_ca6b);
    hash ^= hash >>> 15;
  }
  return hash & 0x3fff_ffff;
}
