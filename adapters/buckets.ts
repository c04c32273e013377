/** Upper bounds of the buckets, ms: from a commit to an outage. */
export const bucketBoundsMs = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000,
];

/** How many of all durations were in each bucket, and their sum. A histogram for Prometheus. */
export class Buckets {
  /** Not cumulative; the last one has what is over the last bound. */
  readonly counts = new Float64Array(bucketBoundsMs.length + 1);
  sum = 0;

  add(milliseconds: number): void {
    let at = 0;
    while (milliseconds > bucketBoundsMs[at]!) at++;
    this.counts[at]!++;
    this.sum += milliseconds;
  }
}
