import type { AlarmSpec, Figure } from "../domain/alarm-spec.ts";
import { SETTLE_MS } from "../domain/alarms.ts";
import type { EpochMs, Milliseconds } from "../domain/time.ts";
import { CounterTotals, type MetricsSnapshot } from "./counter-totals.ts";
import { FigureWindow, type Readings } from "./figure-window.ts";

export type AlarmState = "OK" | "ALARM" | "NO DATA";

/** A change of an alarm's state. */
export interface AlarmChange {
  readonly atMs: EpochMs;
  readonly state: AlarmState;
}

/** How an alarm stands. */
export interface AlarmStatus {
  readonly spec: AlarmSpec;
  readonly state: AlarmState;
  readonly sinceMs: EpochMs;
  /** The figure of the period that ends now; null where it has none. */
  readonly value: number | null;
  /** The alarm whose outage explains this one: it is on, or was until a few minutes ago. Null: nobody knows yet. */
  readonly suppressedBy: string | null;
  /** The newest changes, the oldest first; `CHANGES_KEPT` at most. */
  readonly changes: readonly AlarmChange[];
}

/** Changes of an alarm that are kept. */
const CHANGES_KEPT = 20;

/**
 * Evaluates alarms as CloudWatch does, on the metrics of the programs: a figure over the period that ends now, which
 * has to breach for as many periods as the alarm says.
 */
export class AlarmBoard {
  readonly #alarms: readonly Evaluated[];
  readonly #totals = new CounterTotals();
  readonly #settleMs: Milliseconds;

  /**
   * @param specs Those with a figure are evaluated
   * @param periodFactor What the time after an outage is multiplied by, as the specs' periods already are
   */
  constructor(specs: readonly AlarmSpec[], nowMs: EpochMs, periodFactor = 1) {
    this.#alarms = specs.flatMap((spec) => (spec.figure ? [new Evaluated(spec, spec.figure, nowMs)] : []));
    this.#settleMs = SETTLE_MS * periodFactor;
  }

  /**
   * Takes the newest metrics, by program, without the programs that did not answer.
   *
   * @param nowMs From a clock that never goes back
   * @returns the alarms to tell of: those that came on or cleared, suppressed ones excepted
   */
  update(snapshots: ReadonlyMap<string, MetricsSnapshot>, nowMs: EpochMs): AlarmStatus[] {
    for (const [program, snapshot] of snapshots) this.#totals.count(program, snapshot);
    const readings = { snapshots, totals: this.#totals };
    const before = new Set(this.#alarms.filter((alarm) => alarm.isTold));
    for (const alarm of this.#alarms) alarm.update(readings, nowMs);
    for (const alarm of this.#alarms) alarm.suppressedBy = this.#suppressor(alarm.spec, nowMs);
    return this.#alarms.filter((alarm) => alarm.isTold !== before.has(alarm)).map((alarm) => alarm.status());
  }

  /** All alarms, in the order of the table. */
  status(): AlarmStatus[] {
    return this.#alarms.map((alarm) => alarm.status());
  }

  #suppressor({ suppressedBy = [] }: AlarmSpec, nowMs: EpochMs): string | null {
    const cause = this.#alarms.find(
      ({ spec, lastOnMs }) => suppressedBy.includes(spec.name) && nowMs - lastOnMs <= this.#settleMs,
    );
    return cause?.spec.name ?? null;
  }
}

/** One alarm. */
class Evaluated {
  readonly spec: AlarmSpec;
  readonly #window: FigureWindow;
  #changes: readonly AlarmChange[];
  #value: number | null = null;
  #breachingSinceMs: EpochMs | null = null;
  suppressedBy: string | null = null;
  /** When it was last on. */
  lastOnMs = -Infinity;

  constructor(spec: AlarmSpec, figure: Figure, nowMs: EpochMs) {
    this.spec = spec;
    this.#window = new FigureWindow(figure, spec.pipeline, spec.periodMs, nowMs);
    this.#changes = [{ atMs: nowMs, state: "NO DATA" }];
  }

  /** Whether it is on, and no other alarm explains it. */
  get isTold(): boolean {
    return this.#changes.at(-1)!.state === "ALARM" && this.suppressedBy === null;
  }

  status(): AlarmStatus {
    const { state, atMs } = this.#changes.at(-1)!;
    return {
      spec: this.spec,
      state,
      sinceMs: atMs,
      value: this.#value,
      suppressedBy: state === "ALARM" ? this.suppressedBy : null,
      changes: this.#changes,
    };
  }

  update(readings: Readings, nowMs: EpochMs): void {
    const { missing, periods, periodMs } = this.spec;
    this.#window.add(readings, nowMs);
    this.#value = this.#window.value(nowMs);
    const isMissing = missing === "breaching" && this.#window.isFull(nowMs);
    const breaches = this.#value === null ? isMissing : this.#isBreach(this.#value, nowMs);
    this.#breachingSinceMs = breaches ? (this.#breachingSinceMs ?? nowMs) : null;
    const isOn = this.#breachingSinceMs !== null && nowMs - this.#breachingSinceMs >= (periods - 1) * periodMs;
    if (isOn) this.lastOnMs = nowMs;
    const state = isOn ? "ALARM" : this.#value === null ? "NO DATA" : "OK";
    if (state !== this.#changes.at(-1)!.state)
      this.#changes = [...this.#changes, { atMs: nowMs, state } as const].slice(-CHANGES_KEPT);
  }

  #isBreach(value: number, nowMs: EpochMs): boolean {
    const { comparison, threshold } = this.spec;
    if (comparison === ">") return value > threshold;
    // Before a whole period was watched, what is too little may be what is still to come.
    return this.#window.isFull(nowMs) && (comparison === "<" ? value < threshold : value <= threshold);
  }
}
