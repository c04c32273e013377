/** The numbers of a status line of `npm start` that benchmarks use. NaN for a dash. */
export interface StatusFields {
  readonly readingsPerSecond: number;
  /** Age of the newest sample at the status line's own WebSocket client, over the last ten seconds, ms. */
  readonly p50: number;
  readonly p99: number;
  readonly deadLetters: number;
  readonly restarts: number;
}

/** Null for a line that is no status line. */
export function parseStatusLine(line: string): StatusFields | null {
  const number = (pattern: RegExp): number => Number(pattern.exec(line)?.[1]?.replaceAll(",", "") ?? NaN);
  const latency = / · latency p50 ([\d.]+|–) p99 ([\d.]+|–) ms · /.exec(line);
  if (!latency || !line.startsWith("in ")) return null;
  return {
    readingsPerSecond: number(/^in ([\d,]+) readings\/s/),
    p50: Number(latency[1]!.replace("–", "NaN")),
    p99: Number(latency[2]!.replace("–", "NaN")),
    deadLetters: number(/ · dead letters ([\d,]+)/),
    restarts: number(/ · restarts ([\d,]+)/),
  };
}
