/** Figures with the unit that suits their size. */
import { amount, NOTHING } from "./format.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const scales: Readonly<Record<string, readonly (readonly [from: number, unit: string])[]>> = {
  ms: [
    [2 * DAY, "days"],
    [2 * HOUR, "h"],
    [2 * MINUTE, "min"],
    [SECOND, "s"],
    [0, "ms"],
  ],
  bytes: [
    [1e9, "GB"],
    [1e6, "MB"],
    [1e3, "kB"],
    [0, "bytes"],
  ],
};
const sizes: Readonly<Record<string, number>> = {
  days: DAY,
  h: HOUR,
  min: MINUTE,
  s: SECOND,
  GB: 1e9,
  MB: 1e6,
  kB: 1e3,
};

/** A figure in `ms`, `bytes` or another unit, such as `1.5 s`. */
export function measure(value: number | null, unit: string): string {
  if (value === null) return NOTHING;
  const [, suited] = scales[unit]?.find(([from]) => value >= from) ?? [0, unit];
  const scaled = value / (sizes[suited] ?? 1);
  const digits = scaled >= 100 ? 0 : scaled >= 10 ? 1 : 2;
  return amount(Number(scaled.toFixed(digits)), suited).replace(" /s", "/s");
}
