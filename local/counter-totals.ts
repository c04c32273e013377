import type { MetricName, Series } from "../domain/metrics.ts";

/** The JSON body of a program's `GET /metrics`: counters and gauges as numbers, timings as objects. */
export type MetricsSnapshot = Readonly<Record<string, unknown>>;

/** A timing in a snapshot. */
export interface TimingValue {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

export function isTiming(value: unknown): value is TimingValue {
  return typeof (value as Partial<TimingValue> | null | undefined)?.count === "number";
}

/**
 * What the programs' counters and timings have counted since the platform's start. A count that has gone down belongs
 * to a program that was restarted and counts from 0 again; what it counted before stays in the total.
 */
export class CounterTotals {
  /** By metric, then by program. */
  readonly #counts = new Map<string, Map<string, { last: number; total: number }>>();

  count(program: string, snapshot: MetricsSnapshot): void {
    for (const [name, value] of Object.entries(snapshot)) {
      const now = isTiming(value) ? value.count : value;
      if (typeof now !== "number") continue;
      let programs = this.#counts.get(name);
      if (!programs) this.#counts.set(name, (programs = new Map()));
      const { last, total } = programs.get(program) ?? { last: 0, total: 0 };
      programs.set(program, { last: now, total: total + (now >= last ? now - last : now) });
    }
  }

  /** Of one program, or of all. */
  total(name: MetricName | Series, program?: string): number {
    const programs = this.#counts.get(name) ?? new Map<string, { total: number }>();
    if (program !== undefined) return programs.get(program)?.total ?? 0;
    return [...programs.values()].reduce((sum, { total }) => sum + total, 0);
  }
}
