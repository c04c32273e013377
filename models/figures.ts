import type { LabelledStream } from "./labelled-recordings.ts";

/** A hop is away from label changes if none lies within this much of it, on either side. */
export const AWAY_MS = 250;

/** What the model said of an interval [start, end) of one stream. */
export interface Scored {
  readonly start: number;
  readonly end: number;
  readonly label: string | null;
}

/** Rows: true label; columns: label given; in the order of the labels. */
export type Confusion = number[][];

export interface Judged {
  readonly all: Confusion;
  readonly away: Confusion;
}

/**
 * Compares scored hops with the labels of the readings in them. A hop's true label is that of most of its readings; of
 * equals, the one that stands first in `labels`. Hops without readings don't count.
 */
export function judge(stream: LabelledStream, scored: readonly Scored[], labels: readonly string[]): Judged {
  const empty = (): Confusion => labels.map(() => labels.map(() => 0));
  const judged = { all: empty(), away: empty() };
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
    judged.all[truth]![given]!++;
    const near = lowerBound(changes, start - AWAY_MS) < lowerBound(changes, end + AWAY_MS);
    if (!near) judged.away[truth]![given]!++;
  }
  return judged;
}

function lowerBound(sorted: readonly number[], value: number): number {
  let low = 0;
  for (let high = sorted.length; low < high;) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

export interface Figures {
  readonly hops: number;
  readonly accuracy: number;
  /** Plain mean over the labels. */
  readonly macroF1: number;
  /** Accuracy of who always says the most frequent label. */
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

/** Figures over several streams, rounded to four places. */
export function figures(judged: readonly Judged[], labels: readonly string[]): Figures {
  const add = (matrices: readonly Confusion[]): Confusion =>
    labels.map((_, row) => labels.map((__, column) => sum(matrices.map((matrix) => matrix[row]![column]!))));
  const all = add(judged.map((one) => one.all));
  const away = add(judged.map((one) => one.away));
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
