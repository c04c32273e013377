/** Bytes of memory that records are written into, one behind the other. A record that has no room begins a new one. */
const SLAB_BYTES = 64 * 1_024;
/** Characters of a number, at most: `-1.2345678901234567e-308`. */
const NUMBER_BYTES = 24;
/** Decimal places that prices and amounts often have: such a number is written without the search for its digits. */
const MAX_PLACES = 4;
const POWERS_OF_TEN = [1, 10, 100, 1_000, 10_000] as const;
/** A long number is divided into its last digits and the others. */
const LOW_DIGITS = 9;
const LOW = 1e9;
/** Decimals of up to 15 digits differ as doubles: the one that gives a double is its shortest text. */
const SHORTEST_BELOW = 1e15;

const ZERO = 0x30;
const POINT = 0x2e;
const MINUS = 0x2d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Writes JSON as bytes, without a text in between. What is taken shares its memory with its neighbours: nobody may
 * change it.
 */
export class JsonBytes {
  #slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
  #from = 0;
  #at = 0;

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#slab.length) return;
    const begun = this.#slab.subarray(this.#from, this.#at);
    this.#slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, 2 * (begun.length + bytes)));
    this.#slab.set(begun);
    this.#from = 0;
    this.#at = begun.length;
  }

  /** ASCII, as it is. */
  raw(ascii: string): void {
    const { length } = ascii;
    this.#room(length);
    const slab = this.#slab;
    const at = this.#at;
    for (let i = 0; i < length; i++) slab[at + i] = ascii.charCodeAt(i);
    this.#at = at + length;
  }

  /** A text with its quotes. */
  text(value: string): void {
    const { length } = value;
    this.#room(length + 2);
    const slab = this.#slab;
    let at = this.#at;
    slab[at++] = QUOTE;
    for (let i = 0; i < length; i++) {
      const c = value.charCodeAt(i);
      if (c < 0x20 || c > 0x7e || c === QUOTE || c === BACKSLASH) return this.value(value);
      slab[at++] = c;
    }
    slab[at++] = QUOTE;
    this.#at = at;
  }

  /** A number as `JSON.stringify` writes it. */
  number(x: number): void {
    this.#room(NUMBER_BYTES);
    if (Number.isSafeInteger(x)) return this.#decimal(x, 0);
    for (let places = 1; places <= MAX_PLACES; places++) {
      const scaled = Math.round(x * POWERS_OF_TEN[places]!);
      if (Math.abs(scaled) >= SHORTEST_BELOW) break;
      if (scaled / POWERS_OF_TEN[places]! === x) return this.#decimal(scaled, places);
    }
    if (Number.isFinite(x)) this.raw(`${x}`);
    else this.raw("null");
  }

  /** Anything that JSON has. */
  value(value: unknown): void {
    const json = JSON.stringify(value);
    const most = 3 * json.length;
    this.#room(most);
    this.#at += this.#slab.write(json, this.#at, most);
  }

  /** A whole number divided by a power of ten, `decimals`: the smallest that gives this quotient. */
  #decimal(scaled: number, decimals: number): void {
    const slab = this.#slab;
    let rest = Math.abs(scaled);
    if (scaled < 0) slab[this.#at++] = MINUS;
    // Whole numbers of 32 bits are divided several times faster than doubles.
    let high = 0;
    if (rest >= LOW) {
      high = Math.floor(rest / LOW) | 0;
      rest -= high * LOW;
    }
    let low = rest | 0;
    const digits = Math.max(high > 0 ? LOW_DIGITS + digitsOf(high) : digitsOf(low), decimals + 1);
    let at = (this.#at += digits + (decimals > 0 ? 1 : 0));
    for (let i = 0; i < digits; i++) {
      if (i === LOW_DIGITS) low = high;
      if (i === decimals && i > 0) slab[--at] = POINT;
      const tens = (low / 10) | 0;
      slab[--at] = ZERO + low - tens * 10;
      low = tens;
    }
  }

  /** Gives what was written since the last call. */
  take(): Buffer {
    const taken = this.#slab.subarray(this.#from, this.#at);
    this.#from = this.#at;
    return taken;
  }
}

/** Digits of a whole number below 10^9. */
function digitsOf(n: number): number {
  let digits = 1;
  for (let rest = (n / 10) | 0; rest > 0; rest = (rest / 10) | 0) digits++;
  return digits;
}
