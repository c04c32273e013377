import type { EpochMs, Milliseconds } from "../../domain/time.ts";
import type { Message } from "../runtime/message.ts";

/** Consecutive rows [from, to) of a message. No two neighbours are more than the gap apart. */
export interface Cluster {
  readonly from: number;
  readonly to: number;
  /** Time of the first row. */
  readonly start: EpochMs;
  /** Time of the last row. */
  readonly end: EpochMs;
}

/** Cuts rows [from, to) wherever neighbours are more than `gap` apart. */
export function clusterRows({ t }: Message, from: number, to: number, gap: Milliseconds): Cluster[] {
  const clusters: Cluster[] = [];
  let begin = from;
  for (let row = from + 1; row <= to; row++) {
    if (row < to && t[row]! - t[row - 1]! <= gap) continue;
    clusters.push({ from: begin, to: row, start: t[begin]!, end: t[row - 1]! });
    begin = row;
  }
  return clusters;
}
