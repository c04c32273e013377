import type { MetricName } from "../domain/metrics.ts";
import { processorPrograms } from "../domain/pipelines.ts";
import type { Milliseconds } from "../domain/time.ts";
import { CounterTotals, type MetricsSnapshot } from "./counter-totals.ts";

/** The numbers of the status line. Rates cover the time since the update before. */
export interface StatusMetrics {
  readonly readingsPerSecond: number;
  readonly windowsPerSecond: number;
  readonly sessionsStarted: number;
  readonly deadLetters: number;
  /** Trades that the market's processor has accepted; undefined where it does not run. */
  readonly tradesPerSecond: number | undefined;
  /** Records that the processors have not committed yet. */
  readonly lag: number;
}

const { sensor: SENSORS, market: MARKET } = processorPrograms;

/** Turns the programs' counters into the numbers of the status line. */
export class StatusMetricsTracker {
  readonly #totals = new CounterTotals();
  readonly #lags = new Map<string, number>();
  #previous: { atMs: number; readings: number; windows: number; trades: number } | undefined;

  /**
   * @param snapshots Metrics by program, without the programs that did not answer.
   * @param atMs A monotonic time.
   */
  update(snapshots: ReadonlyMap<string, MetricsSnapshot>, atMs: Milliseconds): StatusMetrics {
    for (const [program, snapshot] of snapshots) {
      this.#totals.count(program, snapshot);
      const lag = snapshot["processor.lag" satisfies MetricName];
      if (typeof lag === "number") this.#lags.set(program, lag);
    }
    const readings = this.#totals.total("processor.readings", SENSORS);
    const windows = this.#totals.total("processor.windows", SENSORS);
    const trades = this.#totals.total("processor.readings", MARKET);
    const seconds = this.#previous ? (atMs - this.#previous.atMs) / 1_000 : 0;
    const rate = (now: number, before = 0): number => (seconds > 0 ? (now - before) / seconds : 0);
    const letters = [SENSORS, MARKET].map((program) => this.#totals.total("processor.dead-letters", program));
    const metrics: StatusMetrics = {
      readingsPerSecond: rate(readings, this.#previous?.readings),
      windowsPerSecond: rate(windows, this.#previous?.windows),
      sessionsStarted: this.#totals.total("processor.sessions-started", SENSORS),
      tradesPerSecond: this.#lags.has(MARKET) ? rate(trades, this.#previous?.trades) : undefined,
      deadLetters: sum([...letters, this.#totals.total("bridge.dead-letters", "bridge")]),
      lag: sum(this.#lags.values()),
    };
    this.#previous = { atMs, readings, windows, trades };
    return metrics;
  }
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/** Percentiles in ms; undefined without a sample. */
export interface LatencyPercentiles {
  readonly p50: number | undefined;
  readonly p99: number | undefined;
}

/** The latencies of the last `keepMs`. */
export class RecentLatencies {
  readonly #keepMs: Milliseconds;
  #samples: { atMs: number; latencyMs: number }[] = [];

  constructor(keepMs: Milliseconds) {
    this.#keepMs = keepMs;
  }

  /** @param atMs A monotonic time. */
  add(latencyMs: Milliseconds, atMs: Milliseconds): void {
    this.#samples.push({ atMs, latencyMs });
  }

  percentiles(atMs: Milliseconds): LatencyPercentiles {
    this.#samples = this.#samples.filter((sample) => sample.atMs > atMs - this.#keepMs);
    const sorted = this.#samples.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b);
    // Nearest rank: the smallest value that at least this share of the values does not exceed.
    const at = (share: number): number | undefined => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
    return { p50: at(0.5), p99: at(0.99) };
  }
}
