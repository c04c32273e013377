import type { EpochMs } from "../../../domain/time.ts";

/** RFC 3339, section 5.6: date, time, fraction, offset. */
const PATTERN = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(\.\d+)?(?:[Zz]|([+-])(\d\d):(\d\d))$/;

/**
 * The time that a text of RFC 3339 names, in epoch milliseconds with their fraction; or what is expected. A leap second
 * counts as the first second of the next minute.
 */
export function readTimestamp(text: string): EpochMs | string {
  const usual = readUsual(text);
  return usual === usual ? usual : readAny(text);
}

/** Days of each month, of a year that is no leap year. */
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Reads the usual form, `2026-01-13T14:30:45.123Z`; NaN for what is not, or may not be, such a time. */
function readUsual(text: string): EpochMs {
  if (text.length !== 24 || text[4] !== "-" || text[7] !== "-" || text[10] !== "T") return NaN;
  if (text[13] !== ":" || text[16] !== ":" || text[19] !== "." || text[23] !== "Z") return NaN;
  const [year, month, day] = [digits(text, 0, 4), digits(text, 5, 7), digits(text, 8, 10)];
  const [hour, minute, second] = [digits(text, 11, 13), digits(text, 14, 16), digits(text, 17, 19)];
  const isTime = hour < 24 && minute < 60 && second < 60;
  if (!isTime || !(year >= 1_000 && day >= 1 && day <= DAYS[month - 1]!)) return NaN;
  return Date.UTC(year, month - 1, day, hour, minute, second, digits(text, 20, 23));
}

/** The number that digits make; NaN where one is none. */
function digits(text: string, from: number, to: number): number {
  let number = 0;
  for (let i = from; i < to; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return NaN;
    number = number * 10 + digit;
  }
  return number;
}

function readAny(text: string): EpochMs | string {
  const found = PATTERN.exec(text);
  if (!found) {
    const isLocal = PATTERN.test(`${text}Z`);
    return isLocal
      ? "an offset such as Z or +01:00 is expected behind it"
      : "RFC 3339 with an offset, such as 2026-01-13T14:30:45.123Z, is expected";
  }
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const offsetHours = Number(found[9] ?? 0);
  const offsetMinutes = Number(found[10] ?? 0);
  const exists =
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    hour < 24 &&
    minute < 60 &&
    second <= 60 &&
    offsetHours < 24 &&
    offsetMinutes < 60;
  if (!exists) return "there is no such date, time or offset";
  const offset = (found[8] === "-" ? -1 : 1) * (offsetHours * 60 + offsetMinutes);
  const seconds = date.getTime() / 1_000 + hour * 3_600 + minute * 60 + second - offset * 60;
  const fraction = found[7];
  return fraction === undefined ? seconds * 1_000 : seconds * 1_000 + Number(`${fraction.slice(0, 20)}e3`);
}
