import type { LabelledStream } from "./labelled-recordings.ts";

/** A hop is away from label changes if there is none from this time before its start to this time after its end. */
export const AWAY_MS = 250;

/** The model's label for a hop [start, end) of one stream, epoch ms. Null without a label. */
export interface Scored {
  readonly start: number;
  readonly end: number;
  readonly label: string | null;
}

/** A confusion matrix of hops. Rows are true labels, columns are the model's labels, both in the order of `labels`. */
export type Confusion = number[][];

/** Confusion matrices of one stream: all hops, and those away from label changes. */
export interface StreamConfusion {
  readonly all: Confusion;
  readonly away: Confusion;
}

/**
 * Compares scored hops with the labels of their readings. A hop's true label is that of most of its readings; in a tie,
 * the one that comes first in `labels`. Hops without readings do not count.
 */
export function confusionOf(
  stream: LabelledStream,
  scored: readonly Scored[],
  labels: readonly string[],
): StreamConfusion {
  const empty = (): Confusion => labels.map(() => labels.map(() => 0));
  const confusion = { all: empty(), away: empty() };
  const changes = stream.t.filter((_, i) => i > 0 && stream.labels[i] !== stream.labels[i - 1]);
  for (const { start, end, label } of scored) {
    const counts = labels.map(() => 0);
    for (let i = lowerBound(stream.t, start); i < stream.t.length && stream.t[i]! < end; i++) {
      const at = labels.indexOf(stream.labels[i]!);
      if (at >= 0) counts[at]!++;
    }
    const most = Math.max(...counts);
    const given = labels.indexOf(label ?? "");
    if (most === 0 || given < 0) continue;
    const truth = counts.indexOf(most);
    confusion.all[truth]![given]!++;
    const near = lowerBound(changes, start - AWAY_MS) < lowerBound(changes, end + AWAY_MS);
    if (!near) confusion.away[truth]![given]!++;
  }
  return confusion;
}

/** Index of the first value that is not below `value`. */
function lowerBound(sorted: readonly number[], value: number): number {
  let low = 0;
  for (let high = sorted.length; low < high;) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Metrics of a classifier over hops; shares from 0 to 1, rounded to four decimals. */
export interface ClassificationMetrics {
  readonly hops: number;
  readonly accuracy: number;
  /** Unweighted mean of F1 over the labels. */
  readonly macroF1: number;
  /** Accuracy of always choosing the most frequent label. */
  readonly majorityBaseline: number;
  readonly awayHops: number;
  readonly awayAccuracy: number;
  readonly f1: Readonly<Record<string, number>>;
  readonly recall: Readonly<Record<string, number>>;
  readonly confusion: Confusion;
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const hits = (matrix: Confusion): number => sum(matrix.map((row, i) => row[i]!));
const size = (matrix: Confusion): number => sum(matrix.map(sum));
const rounded = (value: number): number => Math.round(value * 1e4) / 1e4;

/** Metrics over all hops of several streams. */
export function classificationMetrics(
  streams: readonly StreamConfusion[],
  labels: readonly string[],
): ClassificationMetrics {
  const add = (matrices: readonly Confusion[]): Confusion =>
    labels.map((_, row) => labels.map((__, column) => sum(matrices.map((matrix) => matrix[row]![column]!))));
  const all = add(streams.map((stream) => stream.all));
  const away = add(streams.map((stream) => stream.away));
  const trueOf = all.map(sum);
  const givenOf = labels.map((_, column) => sum(all.map((row) => row[column]!)));
  const f1 = labels.map((_, i) => (2 * all[i]![i]!) / Math.max(1, trueOf[i]! + givenOf[i]!));
  return {
    hops: size(all),
    accuracy: rounded(hits(all) / size(all)),
    macroF1: rounded(sum(f1) / labels.length),
    majorityBaseline: rounded(Math.max(...trueOf) / size(all)),
    awayHops: size(away),
    awayAccuracy: rounded(hits(away) / Math.max(1, size(away))),
    f1: Object.fromEntries(labels.map((label, i) => [label, rounded(f1[i]!)])),
    recall: Object.fromEntries(labels.map((label, i) => [label, rounded(all[i]![i]! / Math.max(1, trueOf[i]!))])),
    confusion: all,
  };
}
