/** Powers of ten that a double holds exactly: 10^0 to 10^22. */
export const POWERS_OF_TEN = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));
const MAX_DECIMALS = POWERS_OF_TEN.length - 1;

/** Digits that an int32 holds whatever they are. */
export const INT_DIGITS = 9;
/** Digits that a double holds whatever they are. */
const DOUBLE_DIGITS = 15;

let end = 0;

/** The position behind the number that `scanNumber` read last. */
export function scannedTo(): number {
  return end;
}

/** Reads a JSON number (RFC 8259, section 6) at `at`, with the value that JSON.parse gives. NaN when there is none. */
export function scanNumber(bytes: Uint8Array, at: number): number {
  let p = at;
  if (bytes[p] === 0x2d) p++;
  const first = p;
  let mantissa = bytes[p]! - 48;
  if (!(mantissa >= 0 && mantissa <= 9)) return NaN;
  let digit = bytes[++p]! - 48;
  if (mantissa === 0 && digit >= 0 && digit <= 9) return NaN;
  while (digit >= 0 && digit <= 9) {
    mantissa = mantissa * 10 + digit;
    digit = bytes[++p]! - 48;
  }
  let decimals = 0;
  if (digit === -2) {
    const point = p;
    digit = bytes[++p]! - 48;
    while (digit >= 0 && digit <= 9) {
      mantissa = mantissa * 10 + digit;
      digit = bytes[++p]! - 48;
    }
    decimals = p - point - 1;
    if (decimals === 0) return NaN;
  }
  if (digit === 21 || digit === 53) return withExponent(bytes, at, p);
  end = p;
  const digits = p - first - (decimals === 0 ? 0 : 1);
  const value = digits <= DOUBLE_DIGITS ? mantissa / POWERS_OF_TEN[decimals]! : longNumber(bytes, first, p, decimals);
  return first > at ? -value : value;
}

/** Digits of the second part of a long mantissa. */
const TAIL_DIGITS = 9;
const TAIL_SCALE = 1e9;
/** An upper bound of what `longNumber` neglects, relative to its quotient. */
const DOUBT = 2 ** -100;

/**
 * The value of the digits [first, to), point included. `decimals` of them are behind the point.
 *
 * Up to 15 digits, the mantissa and a power of ten up to 10^22 are exact doubles, so their quotient rounds correctly
 * (Clinger, How to read floating point numbers accurately, 1990). Up to 24 digits, the mantissa is the sum of two
 * doubles; the quotient's remainder, which is computed without error (Dekker, A floating-point technique for extending
 * the available precision, 1971), corrects it. Number decides where the neglected part could change the rounding (Ziv's
 * test), and for longer numbers.
 */
export function longNumber(bytes: Uint8Array, first: number, to: number, decimals: number): number {
  let p = first;
  while (bytes[p] === 0x30 || bytes[p] === 0x2e) p++;
  let left = to - p - (decimals > 0 && decimals < to - p ? 1 : 0);
  if (left > DOUBLE_DIGITS + TAIL_DIGITS || decimals > MAX_DECIMALS) return slowNumber(bytes, first, to);
  let head = 0;
  for (; left > TAIL_DIGITS; p++) {
    const digit = bytes[p]! - 48;
    if (digit < 0) continue;
    head = head * 10 + digit;
    left--;
  }
  let tail = 0;
  for (; p < to; p++) {
    const digit = bytes[p]! - 48;
    if (digit >= 0) tail = tail * 10 + digit;
  }
  // high + low = head · 10^9 + tail
  const scaled = head * TAIL_SCALE;
  const sum = scaled + tail;
  const rest = productError(head, TAIL_SCALE, scaled) + (tail - (sum - scaled));
  const high = sum + rest;
  const low = rest - (high - sum);
  const divisor = POWERS_OF_TEN[decimals]!;
  const quotient = high / divisor;
  const product = quotient * divisor;
  const correction = (high - product + (low - productError(quotient, divisor, product))) / divisor;
  const doubt = quotient * DOUBT;
  const value = quotient + (correction - doubt);
  return value === quotient + (correction + doubt) ? value : slowNumber(bytes, first, to);
}

/** Veltkamp's constant: splits a double into two of 26 bits. */
const SPLIT = 2 ** 27 + 1;

/** The exact difference of a · b and `product`, which is a · b rounded. */
function productError(a: number, b: number, product: number): number {
  const aHigh = SPLIT * a - (SPLIT * a - a);
  const bHigh = SPLIT * b - (SPLIT * b - b);
  const aLow = a - aHigh;
  const bLow = b - bHigh;
  return aHigh * bHigh - product + aHigh * bLow + aLow * bHigh + aLow * bLow;
}

function withExponent(bytes: Uint8Array, at: number, exponent: number): number {
  let p = exponent + 1;
  if (bytes[p] === 0x2b || bytes[p] === 0x2d) p++;
  while (bytes[p]! >= 48 && bytes[p]! <= 57) p++;
  end = p;
  return slowNumber(bytes, at, p);
}

function slowNumber(bytes: Uint8Array, from: number, to: number): number {
  let text = "";
  for (let i = from; i < to; i++) text += String.fromCharCode(bytes[i]!);
  return Number(text);
}
