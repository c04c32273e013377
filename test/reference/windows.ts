import { windowOperatorName } from "../../domain/imu.ts";
import type { Cause } from "../../domain/records.ts";
import type { Semantics } from "../../domain/semantics.ts";
import type { Message } from "./log.ts";
import { channelStatistics } from "./statistics.ts";

interface Window {
  readonly start: number;
  readonly end: number;
  readonly rows: (readonly number[])[];
  /** How many times it has fired. */
  fired: number;
  /** Whether it has readings that no firing includes. */
  changed: boolean;
}
export type WriteWindow = (fields: object) => void;

/** The windows of one sensor, with all their readings. */
export class Windows {
  private readonly all: Window[] = [];
  private readonly settings: Semantics;
  constructor(settings: Semantics) {
    this.settings = settings;
  }

  /** Starts of all windows that hold an instant: every multiple of the slide in (t - window, t]. */
  private starts(t: number): number[] {
    const { windowMs, slideMs } = this.settings;
    const near = Math.floor(t / slideMs);
    const starts: number[] = [];
    for (let k = near - Math.ceil(windowMs / slideMs) - 2; k <= near + 2; k += 1) {
      if (k * slideMs <= t && t < k * slideMs + windowMs) starts.push(k * slideMs);
    }
    return starts;
  }

  /** Applies a whole message: writes what is late, then the windows that fire again, each by end and start. */
  apply(
    message: Message,
    watermark: number,
    finalUpTo: number,
    late: (fields: object) => void,
    write: WriteWindow,
  ): void {
    const { windowMs, allowedLatenessMs } = this.settings;
    const touched = [...new Set(message.t.flatMap((t) => this.starts(t)))].sort((a, b) => a - b);
    const again: Window[] = [];
    for (const start of touched) {
      const end = start + windowMs;
      const inside = message.t.map((_, i) => i).filter((i) => start <= message.t[i]! && message.t[i]! < end);
      const rows = inside.map((i) => message.samples[i]!);
      if (start <= finalUpTo || watermark >= end + allowedLatenessMs) {
        late({ operator: "window", window: { start, end }, t: inside.map((i) => message.t[i]), samples: rows });
        continue;
      }
      const window = this.at(start, end);
      window.rows.push(...rows);
      window.changed = true;
      if (watermark >= end) again.push(window);
    }
    for (const window of again) this.fire(window, "late", write);
  }

  /** Fires, by end and start, the windows that have changed and whose end the watermark has reached. */
  fireDue(watermark: number, cause: Cause, write: WriteWindow): void {
    const due = this.all.filter((window) => window.changed && watermark >= window.end);
    for (const window of due.sort((a, b) => a.end - b.end || a.start - b.start)) this.fire(window, cause, write);
  }

  private fire(window: Window, cause: Cause, write: WriteWindow): void {
    const { start, end, rows } = window;
    const operator = windowOperatorName(this.settings.windowMs, this.settings.slideMs);
    write({
      operator,
      window: { start, end },
      revision: window.fired,
      cause,
      count: rows.length,
      channels: channelStatistics(rows),
    });
    window.fired += 1;
    window.changed = false;
  }

  private at(start: number, end: number): Window {
    const known = this.all.find((window) => window.start === start);
    if (known !== undefined) return known;
    const window: Window = { start, end, rows: [], fired: 0, changed: false };
    this.all.push(window);
    return window;
  }
}
