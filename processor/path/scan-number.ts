/** Powers of ten that a double holds exactly: 10^0 to 10^22. */
const POWERS_OF_TEN = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

let end = 0;

/** Where the number that `scanNumber` read ends. */
export function scannedTo(): number {
  return end;
}

/**
 * Reads a JSON number (RFC 8259, section 6) that starts at `at`, with the value that JSON.parse gives.
 * NaN when there is none. An integer mantissa up to 2^53 divided by a power of ten up to 10^22 is exact in both
 * operands, so the one division rounds correctly (Clinger, How to read floating point numbers accurately, 1990);
 * everything else is left to Number.
 */
export function scanNumber(bytes: Uint8Array, at: number): number {
  let p = at;
  const negative = bytes[p] === 0x2d;
  if (negative) p++;
  let digit = bytes[p]! - 48;
  if (!(digit >= 0 && digit <= 9)) return NaN;
  let mantissa = digit;
  p++;
  if (digit === 0) {
    digit = bytes[p]! - 48;
    if (digit >= 0 && digit <= 9) return NaN;
  } else {
    while ((digit = bytes[p]! - 48) >= 0 && digit <= 9) {
      mantissa = mantissa * 10 + digit;
      p++;
    }
  }
  let decimals = 0;
  if (bytes[p] === 0x2e) {
    const first = ++p;
    while ((digit = bytes[p]! - 48) >= 0 && digit <= 9) {
      mantissa = mantissa * 10 + digit;
      p++;
    }
    decimals = p - first;
    if (decimals === 0) return NaN;
  }
  if ((bytes[p]! | 0x20) === 0x65) {
    p++;
    if (bytes[p] === 0x2b || bytes[p] === 0x2d) p++;
    const first = p;
    while ((digit = bytes[p]! - 48) >= 0 && digit <= 9) p++;
    if (p === first) return NaN;
    end = p;
    return slowNumber(bytes, at, p);
  }
  end = p;
  if (mantissa > Number.MAX_SAFE_INTEGER || decimals > 22) return slowNumber(bytes, at, p);
  const value = decimals === 0 ? mantissa : mantissa / POWERS_OF_TEN[decimals]!;
  return negative ? -value : value;
}

function slowNumber(bytes: Uint8Array, from: number, to: number): number {
  let text = "";
  for (let i = from; i < to; i++) text += String.fromCharCode(bytes[i]!);
  return Number(text);
}
