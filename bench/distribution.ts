/** Percentiles in ms; NaN without values. */
export interface Distribution {
  readonly p50: number;
  readonly p99: number;
}

/** The value below which the fraction `q` (from 0 to 1) of the values lies; NaN without values. */
export function percentile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? NaN;
}

export function distribution(values: readonly number[]): Distribution {
  return { p50: percentile(values, 0.5), p99: percentile(values, 0.99) };
}

export function showDistribution({ p50, p99 }: Distribution): string {
  return Number.isNaN(p50)
    ? "nothing arrived during the measurement: this machine is too slow"
    : `p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms`;
}

/** Ratios of what ran in turns. */
export interface Ratio {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The ratio of each pair, `a` to `b`: a pair ran at nearly the same time, so its ratio is what can be compared. */
export function ratioOf(pairs: readonly (readonly [a: number, b: number])[]): Ratio {
  const ratios = pairs.map(([a, b]) => a / b).sort((x, y) => x - y);
  const middle = ratios.length >> 1;
  const median = ratios.length % 2 === 1 ? ratios[middle]! : (ratios[middle - 1]! + ratios[middle]!) / 2;
  return { median, min: ratios[0]!, max: ratios.at(-1)! };
}

export function showRatio({ median, min, max }: Ratio): string {
  return `${median.toFixed(2)} × (${min.toFixed(2)} to ${max.toFixed(2)})`;
}
