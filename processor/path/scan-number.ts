/** Powers of ten that a double holds exactly: 10^0 to 10^22. */
export const POWERS_OF_TEN = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

let end = 0;

/** Where the number that `scanNumber` read ends. */
export function scannedTo(): number {
  return end;
}

/** Digits that an int32 holds whatever they are. */
export const INT_DIGITS = 9;

/**
 * Reads a JSON number (RFC 8259, section 6) that starts at `at`, with the value that JSON.parse gives.
 * NaN when there is none. An integer mantissa up to 2^53 divided by a power of ten up to 10^22 is exact in both
 * operands, so the one division rounds correctly (Clinger, How to read floating point numbers accurately, 1990);
 * everything else is left to Number. Up to nine digits, which is what sensors send, the mantissa is an int32.
 */
export function scanNumber(bytes: Uint8Array, at: number): number {
  let p = at;
  const negative = bytes[p] === 0x2d;
  if (negative) p++;
  const first = p;
  let mantissa = bytes[p]! - 48;
  if (!(mantissa >= 0 && mantissa <= 9)) return NaN;
  p++;
  let digit = bytes[p]! - 48;
  if (mantissa === 0 && digit >= 0 && digit <= 9) return NaN;
  while (digit >= 0 && digit <= 9) {
    mantissa = (Math.imul(mantissa, 10) + digit) | 0;
    digit = bytes[++p]! - 48;
  }
  let decimals = 0;
  if (digit === -2) {
    const point = p;
    digit = bytes[++p]! - 48;
    while (digit >= 0 && digit <= 9) {
      mantissa = (Math.imul(mantissa, 10) + digit) | 0;
      digit = bytes[++p]! - 48;
    }
    decimals = p - point - 1;
    if (decimals === 0) return NaN;
  }
  if (digit === 21 || digit === 53) return withExponent(bytes, at, p);
  end = p;
  const digits = p - first - (decimals === 0 ? 0 : 1);
  if (digits > INT_DIGITS) return longNumber(bytes, at, first, p, decimals);
  const value = decimals === 0 ? mantissa : mantissa / POWERS_OF_TEN[decimals]!;
  return negative ? -value : value;
}

/** More digits than an int32 holds: the mantissa is a double as long as that is exact. */
function longNumber(bytes: Uint8Array, at: number, first: number, to: number, decimals: number): number {
  let mantissa = 0;
  for (let p = first; p < to; p++) if (bytes[p] !== 0x2e) mantissa = mantissa * 10 + (bytes[p]! - 48);
  if (mantissa > Number.MAX_SAFE_INTEGER || decimals > 22) return slowNumber(bytes, at, to);
  const value = mantissa / POWERS_OF_TEN[decimals]!;
  return first > at ? -value : value;
}

function withExponent(bytes: Uint8Array, at: number, exponent: number): number {
  let p = exponent + 1;
  if (bytes[p] === 0x2b || bytes[p] === 0x2d) p++;
  const first = p;
  while (bytes[p]! >= 48 && bytes[p]! <= 57) p++;
  if (p === first) return NaN;
  end = p;
  return slowNumber(bytes, at, p);
}

function slowNumber(bytes: Uint8Array, from: number, to: number): number {
  let text = "";
  for (let i = from; i < to; i++) text += String.fromCharCode(bytes[i]!);
  return Number(text);
}
