import type { EpochMs, Milliseconds } from "../../domain/time.ts";
import type { Message } from "../runtime/message.ts";

/**
 * Finds every window `[start, start + size)` that holds rows of the message, with the range of those rows: fills
 * `found` with start, from and to of each, by ascending start. Starts are multiples of `slide`; rows are sorted by
 * time. What `found` had before is overwritten as far as needed: an array that is emptied loses its memory.
 *
 * @returns How many numbers of `found` are filled
 */
export function assignWindows(message: Message, size: Milliseconds, slide: Milliseconds, found: number[]): number {
  let count = 0;
  const { t, rows } = message;
  let from = 0;
  let to = 0;
  let start = firstWindow(t[0]!, size, slide);
  while (from < rows) {
    while (from < rows && t[from]! < start) from++;
    if (from === rows) return count;
    if (t[from]! >= start + size) {
      start = firstWindow(t[from]!, size, slide);
      continue;
    }
    if (to < from) to = from;
    while (to < rows && t[to]! < start + size) to++;
    found[count++] = start;
    found[count++] = from;
    found[count++] = to;
    start += slide;
  }
  return count;
}

/**
 * Start of the earliest window that holds `t`. A quotient of doubles may round to the next whole number, so it is
 * corrected by comparing products, which are exact up to the largest event time.
 */
function firstWindow(t: EpochMs, size: Milliseconds, slide: Milliseconds): EpochMs {
  let k = Math.floor(t / slide);
  while (k * slide > t) k--;
  while ((k + 1) * slide <= t) k++;
  while (t < (k - 1) * slide + size) k--;
  return k * slide;
}
