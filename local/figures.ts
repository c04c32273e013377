import type { MetricName } from "../domain/metrics.ts";

/** What `GET /metrics` of a program says: counters and gauges as numbers, timings as objects. */
export type MetricsSnapshot = Readonly<Record<string, unknown>>;

/** The figures of the status line; rates are since the update before. */
export interface Figures {
  readonly readingsPerSecond: number;
  readonly windowsPerSecond: number;
  readonly sessionsStarted: number;
  readonly deadLetters: number;
  /** Records that the processor has not committed yet. */
  readonly lag: number;
}

/**
 * Turns the programs' counters into figures. A counter that has gone down is that of a program that was started again:
 * it counts from 0, and what it had counted before is kept.
 */
export class FigureKeeper {
  readonly #last = new Map<string, number>();
  readonly #totals = new Map<string, number>();
  #previous: { atMs: number; readings: number; windows: number } | undefined;
  #lag = 0;

  /** @param snapshots Metrics by program; a program that did not answer is left out. @param atMs a monotonic time. */
  update(snapshots: ReadonlyMap<string, MetricsSnapshot>, atMs: number): Figures {
    for (const [program, snapshot] of snapshots) this.#count(program, snapshot);
    const lag = snapshots.get("processor")?.["processor.lag" satisfies MetricName];
    if (typeof lag === "number") this.#lag = lag;
    const readings = this.#total("processor.readings");
    const windows = this.#total("processor.windows");
    const seconds = this.#previous ? (atMs - this.#previous.atMs) / 1_000 : 0;
    const rate = (now: number, before = 0): number => (seconds > 0 ? (now - before) / seconds : 0);
    const figures: Figures = {
      readingsPerSecond: rate(readings, this.#previous?.readings),
      windowsPerSecond: rate(windows, this.#previous?.windows),
      sessionsStarted: this.#total("processor.sessions-started"),
      deadLetters: this.#total("processor.dead-letters") + this.#total("bridge.dead-letters"),
      lag: this.#lag,
    };
    this.#previous = { atMs, readings, windows };
    return figures;
  }

  #count(program: string, snapshot: MetricsSnapshot): void {
    for (const [name, value] of Object.entries(snapshot)) {
      if (typeof value !== "number") continue;
      const key = `${program} ${name}`;
      const last = this.#last.get(key) ?? 0;
      this.#last.set(key, value);
      this.#totals.set(name, (this.#totals.get(name) ?? 0) + (value >= last ? value - last : value));
    }
  }

  #total(name: MetricName): number {
    return this.#totals.get(name) ?? 0;
  }
}

/** Latencies of the last seconds; `p50` and `p99` are undefined when there were none. */
export class RecentLatencies {
  readonly #keepMs: number;
  #samples: { atMs: number; latencyMs: number }[] = [];

  constructor(keepMs: number) {
    this.#keepMs = keepMs;
  }

  add(latencyMs: number, atMs: number): void {
    this.#samples.push({ atMs, latencyMs });
  }

  percentiles(atMs: number): { p50: number | undefined; p99: number | undefined } {
    this.#samples = this.#samples.filter((sample) => sample.atMs > atMs - this.#keepMs);
    const sorted = this.#samples.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b);
    // Nearest rank: the smallest value that at least this share of the values does not exceed.
    const at = (share: number): number | undefined => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
    return { p50: at(0.5), p99: at(0.99) };
  }
}
