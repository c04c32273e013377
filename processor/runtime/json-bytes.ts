/** Bytes of memory that records are written into, one behind the other. A record that has no room begins a new one. */
const SLAB_BYTES = 64 * 1_024;
/** Characters of a number, at most: `-1.2345678901234567e-308`. */
const NUMBER_BYTES = 24;
/** A long number is divided into its last digits and the others. */
const LOW_DIGITS = 9;
const LOW = 1e9;
/** Decimals of up to 15 digits differ as doubles: the one that gives a double is its shortest text. */
const SHORTEST_BELOW = 1e15;

/** The digits of 0 to 99, each a word of two bytes. */
const PAIRS = Uint16Array.from({ length: 100 }, (_, n) => ((n % 10) << 8) + Math.floor(n / 10) + 0x3030);

const ZERO = 0x30;
const POINT = 0x2e;
const MINUS = 0x2d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * JSON that many records have, in words of eight bytes: a word is written as fast as a character. A word is kept as a
 * double, which is never NaN, whose bits could change: in UTF-8 no byte is 0xff, and none above 0xef is before a 0x7f.
 */
export class Piece {
  readonly words: Float64Array;
  readonly length: number;

  constructor(json: string) {
    const bytes = Buffer.from(json);
    const whole = Buffer.alloc(Math.ceil(bytes.length / 8) * 8);
    whole.set(bytes);
    this.words = Float64Array.from({ length: whole.length / 8 }, (_, word) => whole.readDoubleLE(8 * word));
    this.length = bytes.length;
  }
}

/**
 * Writes JSON as bytes, without a text in between. What was written shares its memory with its neighbours: nobody may
 * change it.
 */
export class JsonBytes {
  #slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
  #view = viewOf(this.#slab);
  #from = 0;
  #at = 0;

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#slab.length) return;
    const begun = this.#slab.subarray(this.#from, this.#at);
    this.#slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, 2 * (begun.length + bytes)));
    this.#view = viewOf(this.#slab);
    this.#slab.set(begun);
    this.#from = 0;
    this.#at = begun.length;
  }

  /** A piece, as it is. */
  piece({ words, length }: Piece): void {
    this.#room(8 * words.length);
    const view = this.#view;
    const at = this.#at;
    for (let i = 0; i < words.length; i++) view.setFloat64(at + 8 * i, words[i]!, true);
    this.#at = at + length;
  }

  /** Bytes [from, to) of JSON, as they are. */
  copy(bytes: Uint8Array, from: number, to: number): void {
    this.#room(to - from);
    const slab = this.#slab;
    let at = this.#at;
    for (let i = from; i < to; i++) slab[at++] = bytes[i]!;
    this.#at = at;
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
    if (Number.isSafeInteger(x)) return this.#whole(x);
    const hundredths = Math.round(x * 100);
    if (hundredths / 100 === x && Math.abs(hundredths) < SHORTEST_BELOW) return this.#decimal(hundredths, 2);
    const small = Math.round(x * 10_000);
    if (small / 10_000 === x && Math.abs(small) < SHORTEST_BELOW) return this.#decimal(small, 4);
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

  /** A safe whole number. */
  #whole(x: number): void {
    if (x < 0) this.#slab[this.#at++] = MINUS;
    const rest = Math.abs(x);
    if (rest < LOW) return this.#digits(rest | 0, digitsOf(rest | 0));
    // Whole numbers of 32 bits are divided several times faster than doubles.
    const high = Math.floor(rest / LOW);
    this.#digits(high, digitsOf(high));
    this.#digits((rest - high * LOW) | 0, LOW_DIGITS);
  }

  /** A whole number divided by 10^`places`: without the zeros at its end, it is the shortest text of this quotient. */
  #decimal(scaled: number, places: 2 | 4): void {
    if (scaled < 0) this.#slab[this.#at++] = MINUS;
    const rest = Math.abs(scaled);
    const scale = places === 2 ? 100 : 10_000;
    const whole = Math.floor(rest / scale);
    let fraction = (rest - whole * scale) | 0;
    let digits: number = places;
    for (; fraction % 10 === 0; digits--) fraction = (fraction / 10) | 0;
    this.#whole(whole);
    this.#slab[this.#at++] = POINT;
    this.#digits(fraction, digits);
  }

  /** The last `count` digits of a whole number of 32 bits, two by two. */
  #digits(n: number, count: number): void {
    const view = this.#view;
    let at = (this.#at += count);
    let left = count;
    let rest = n;
    for (; left >= 2; left -= 2) {
      const others = (rest / 100) | 0;
      view.setUint16((at -= 2), PAIRS[rest - others * 100]!, true);
      rest = others;
    }
    if (left === 1) this.#slab[at - 1] = ZERO + rest;
  }

  /** The memory of what was written since `begin`: the bytes [from, to). */
  get memory(): Buffer {
    return this.#slab;
  }

  get from(): number {
    return this.#from;
  }

  get to(): number {
    return this.#at;
  }

  /** Bytes that were written since `begin`. */
  get length(): number {
    return this.#at - this.#from;
  }

  /** Writes once more what are the bytes [from, to) since `begin`. */
  again(from: number, to: number): void {
    const slab = this.#slab;
    const begun = this.#from;
    this.copy(slab, begun + from, begun + to);
  }

  /** Begins anew behind what was written. */
  begin(): void {
    this.#from = this.#at;
  }
}

function viewOf({ buffer, byteOffset, length }: Buffer): DataView {
  return new DataView(buffer, byteOffset, length);
}

/** Digits of a whole number below 10^9. */
function digitsOf(n: number): number {
  if (n < 10) return 1;
  if (n < 100) return 2;
  if (n < 1_000) return 3;
  if (n < 10_000) return 4;
  if (n < 100_000) return 5;
  if (n < 1_000_000) return 6;
  if (n < 10_000_000) return 7;
  return n < 100_000_000 ? 8 : 9;
}
