import type { SequencedMessage } from "../../operators/sequenced-message.ts";
import { MAX_ROWS } from "../../runtime/message.ts";
import { INT_DIGITS, longNumber, POWERS_OF_TEN, scanNumber, scannedTo } from "../../runtime/scan-number.ts";
import type { SampleTimes } from "./sample-times.ts";

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const MINUS = 0x2d;

/** 10^0 to 10^15, then their negatives. */
const NEGATIVE_POWERS = 16;
const SIGNED_POWERS = [1, -1].flatMap((sign) => POWERS_OF_TEN.slice(0, NEGATIVE_POWERS).map((power) => sign * power));

/** Fields of a message, as bits: each may come once. */
const SEQ = 1;
const BOOT = 2;
const T = 4;
const HZ = 8;
const SAMPLES = 16;

function skipSpace(bytes: Uint8Array, at: number): number {
  let p = at;
  for (let c = bytes[p]; c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09; c = bytes[p]) p++;
  return p;
}

/** What the message at hand says of its times. There is one, filled anew for each message. */
const scanned = { times: 0, t: NaN, hz: NaN };

/**
 * Reads a well-formed IMU message from its bytes straight into columns: in one pass, with nothing allocated per
 * reading. Gives null for everything unusual (unknown or repeated fields, escapes, other types, any error): then the
 * caller takes the slow way, which knows every reason. Ranges are not checked here.
 */
export function scanImuJson(bytes: Uint8Array, message: SequencedMessage): SampleTimes | null {
  let p = skipSpace(bytes, 0);
  if (bytes[p] !== OPEN_OBJECT) return null;
  p++;
  let seen = 0;
  message.boot = null;
  scanned.times = 0;
  for (;;) {
    p = skipSpace(bytes, p);
    if (bytes[p] !== QUOTE) return null;
    const field = fieldAt(bytes, p + 1);
    if (field === 0 || (seen & field) !== 0) return null;
    seen |= field;
    p = skipSpace(bytes, p + fieldLength(field) + 2);
    if (bytes[p] !== COLON) return null;
    p = skipSpace(bytes, p + 1);
    p = scanField(bytes, p, field, message);
    if (p < 0) return null;
    p = skipSpace(bytes, p);
    const next = bytes[p++];
    if (next === COMMA) continue;
    if (next !== CLOSE_OBJECT) return null;
    break;
  }
  const required = SEQ | T | SAMPLES;
  if ((seen & required) !== required || skipSpace(bytes, p) !== bytes.length) return null;
  if (scanned.times > 0 ? (seen & HZ) !== 0 || scanned.times !== message.rows : (seen & HZ) === 0) return null;
  return scanned;
}

function fieldAt(b: Uint8Array, p: number): number {
  switch (b[p]) {
    case 0x73: // s
      if (b[p + 1] === 0x65 && b[p + 2] === 0x71 && b[p + 3] === QUOTE) return SEQ;
      return b[p + 1] === 0x61 &&
        b[p + 2] === 0x6d &&
        b[p + 3] === 0x70 &&
        b[p + 4] === 0x6c &&
        b[p + 5] === 0x65 &&
        b[p + 6] === 0x73 &&
        b[p + 7] === QUOTE
        ? SAMPLES
        : 0;
    case 0x74: // t
      return b[p + 1] === QUOTE ? T : 0;
    case 0x68: // hz
      return b[p + 1] === 0x7a && b[p + 2] === QUOTE ? HZ : 0;
    case 0x62: // boot
      return b[p + 1] === 0x6f && b[p + 2] === 0x6f && b[p + 3] === 0x74 && b[p + 4] === QUOTE ? BOOT : 0;
    default:
      return 0;
  }
}

function fieldLength(field: number): number {
  return field === SEQ ? 3 : field === T ? 1 : field === HZ ? 2 : field === BOOT ? 4 : 7;
}

/** Reads a field's value. Like every scan it gives the position behind what it read, or -1. */
function scanField(bytes: Uint8Array, p: number, field: number, message: SequencedMessage): number {
  if (field === SAMPLES) return scanSamples(bytes, p, message);
  if (field === BOOT) return scanBoot(bytes, p, message);
  if (field === T && bytes[p] === OPEN) return scanTimes(bytes, p, message);
  return scanScalar(bytes, p, field, message);
}

function scanScalar(bytes: Uint8Array, p: number, field: number, message: SequencedMessage): number {
  const value = scanNumber(bytes, p);
  if (value !== value) return -1;
  if (field === SEQ) message.seq = value;
  else if (field === T) scanned.t = value;
  else scanned.hz = value;
  return scannedTo();
}

function scanBoot(bytes: Uint8Array, at: number, message: SequencedMessage): number {
  if (bytes[at] !== QUOTE) return -1;
  let text = "";
  for (let p = at + 1; ; p++) {
    const c = bytes[p];
    if (c === QUOTE) {
      message.boot = text;
      return p + 1;
    }
    if (c === undefined || c < 0x20 || c > 0x7e || c === 0x5c) return -1;
    text += String.fromCharCode(c);
  }
}

function scanTimes(bytes: Uint8Array, at: number, message: SequencedMessage): number {
  const t = message.t;
  let p = at + 1;
  for (let i = 0; ; i++) {
    if (i === MAX_ROWS) return -1;
    p = skipSpace(bytes, p);
    const value = scanNumber(bytes, p);
    if (value !== value) return -1;
    t[i] = value;
    p = skipSpace(bytes, scannedTo());
    const next = bytes[p++];
    if (next === COMMA) continue;
    if (next !== CLOSE) return -1;
    scanned.times = i + 1;
    return p;
  }
}

/**
 * Reads the samples. Numbers as sensors send them (no exponent, no spaces) are read in place: a call of `scanNumber`
 * for each takes twice as long. All other numbers are left to it.
 */
function scanSamples(bytes: Uint8Array, at: number, message: SequencedMessage): number {
  if (bytes[at] !== OPEN) return -1;
  const { columns } = message;
  let p = at + 1;
  for (let row = 0; row < MAX_ROWS; row++) {
    p = skipSpace(bytes, p);
    if (bytes[p++] !== OPEN) return -1;
    for (let cell = row; cell < 6 * MAX_ROWS; cell += MAX_ROWS) {
      const start = p;
      const delimiter = cell < 5 * MAX_ROWS ? COMMA - 48 : CLOSE - 48;
      const negative = ((bytes[p]! ^ MINUS) - 1) >>> 31; // 1 or 0, without a branch: signs can't be predicted
      p += negative;
      const first = p;
      let digit = bytes[p]! - 48;
      let mantissa = 0;
      while (digit >= 0 && digit <= 9) {
        mantissa = (Math.imul(mantissa, 10) + digit) | 0;
        digit = bytes[++p]! - 48;
      }
      const whole = p - first;
      let decimals = 0;
      if (digit === -2) {
        const point = p;
        digit = bytes[++p]! - 48;
        while (digit >= 0 && digit <= 9) {
          mantissa = (Math.imul(mantissa, 10) + digit) | 0;
          digit = bytes[++p]! - 48;
        }
        decimals = p - point - 1;
        if (decimals === 0) return -1;
      }
      if (digit === delimiter && whole > 0 && (whole === 1 || bytes[first] !== 0x30)) {
        columns[cell] =
          whole + decimals <= INT_DIGITS
            ? mantissa / SIGNED_POWERS[decimals + negative * NEGATIVE_POWERS]!
            : (1 - 2 * negative) * longNumber(bytes, first, p, decimals);
        p++;
      } else {
        p = scanCell(bytes, start, columns, cell, delimiter);
        if (p < 0) return -1;
      }
    }
    p = skipSpace(bytes, p);
    const next = bytes[p++];
    if (next === COMMA) continue;
    if (next !== CLOSE) return -1;
    message.rows = row + 1;
    return p;
  }
  return -1;
}

/** Reads one number in any form of JSON, with the delimiter behind it. */
function scanCell(bytes: Uint8Array, at: number, columns: Float64Array, cell: number, delimiter: number): number {
  const value = scanNumber(bytes, skipSpace(bytes, at));
  if (value !== value) return -1;
  columns[cell] = value;
  const p = skipSpace(bytes, scannedTo());
  return bytes[p]! - 48 === delimiter ? p + 1 : -1;
}
