import type { Cause } from "../../domain/records.ts";
import type { Semantics } from "../../domain/semantics.ts";
import type { Message } from "./log.ts";
import { magnitude } from "./statistics.ts";

interface Session {
  readonly times: readonly number[];
  readonly start: number;
  readonly end: number;
  readonly supersedes: ReadonlySet<string>;
  /** Ended records of this id so far. */
  ended: number;
  /** Whether it has samples or merged sessions that no `ended` record includes. */
  open: boolean;
}
type Write = (fields: object) => void;

/** Splits ascending times where two neighbours are further apart than the gap. */
export function groupByGap(times: readonly number[], gap: number): number[][] {
  const groups: number[][] = [];
  for (const t of times) {
    const last = groups.at(-1);
    if (last !== undefined && t - last.at(-1)! <= gap) last.push(t);
    else groups.push([t]);
  }
  return groups;
}

/** The sessions of one sensor: lists of sample times, merged anew for each message. */
export class Sessions {
  private all: Session[] = [];
  /** Ids that a record has named as superseded. */
  private readonly named = new Set<string>();
  /** Every accepted sample: its time and the magnitude of its acceleration. */
  private readonly accelerations: { readonly t: number; readonly magnitude: number }[] = [];
  private readonly sensorId: string;
  private readonly settings: Semantics;
  constructor(sensorId: string, settings: Semantics) {
    this.sensorId = sensorId;
    this.settings = settings;
  }

  private id(start: number): string {
    return `${this.sensorId}@${start}`;
  }

  apply(message: Message, watermark: number, finalUpTo: number, late: Write, write: Write): void {
    const { sessionGapMs: gap, allowedLatenessMs: lateness } = this.settings;
    const isLate = (t: number): boolean => t <= finalUpTo || watermark >= t + gap + lateness;
    for (const group of groupByGap(message.t.filter(isLate), gap)) {
      const [start, last] = [group[0]!, group.at(-1)!];
      const inside = message.t
        .map((_, i) => i)
        .filter((i) => isLate(message.t[i]!) && message.t[i]! >= start && message.t[i]! <= last);
      late({
        operator: "session",
        window: { start, end: last + gap },
        t: inside.map((i) => message.t[i]),
        samples: inside.map((i) => message.samples[i]),
      });
    }
    this.all = this.all.filter((session) => watermark < session.end + gap + lateness);
    const accepted = message.t.filter((t) => !isLate(t));
    message.t.forEach((t, i) => {
      const [x, y, z] = message.samples[i]!;
      if (!isLate(t)) this.accelerations.push({ t, magnitude: magnitude(x!, y!, z!) });
    });
    const before = this.all;
    const together = groupByGap(
      [...before.flatMap((session) => session.times), ...accepted].sort((a, b) => a - b),
      gap,
    );
    this.all = together.map((times) => this.merge(times, before, accepted, watermark, write));
  }

  /** The session of one group of times: the one it was, changed or not, or one with a new id. */
  private merge(
    times: number[],
    before: readonly Session[],
    accepted: readonly number[],
    watermark: number,
    write: Write,
  ): Session {
    const [start, end] = [times[0]!, times.at(-1)!];
    const merged = before.filter((session) => session.start >= start && session.end <= end);
    if (!accepted.some((t) => t >= start && t <= end)) return merged[0]!;
    const same = merged.find((session) => session.start === start);
    const superseded = merged
      .filter((session) => session !== same)
      .flatMap((session) => [this.id(session.start), ...session.supersedes]);
    const session: Session = {
      times,
      start,
      end,
      supersedes: new Set([...(same?.supersedes ?? []), ...superseded]),
      ended: same?.ended ?? 0,
      open: true,
    };
    if (watermark >= end + this.settings.sessionGapMs) this.writeEnded(session, "late", write);
    else if (same === undefined)
      write({ type: "started", sessionId: this.id(start), start, supersedes: this.nameNew(session) });
    return session;
  }

  /** Ends, by end and start, the open sessions whose last sample plus the gap the watermark has reached. */
  endDue(watermark: number, cause: Cause, write: Write): void {
    const due = this.all.filter((session) => session.open && watermark >= session.end + this.settings.sessionGapMs);
    for (const session of due.sort((a, b) => a.end - b.end || a.start - b.start))
      this.writeEnded(session, cause, write);
  }

  /** The swallowed ids that no record has named yet, sorted. */
  private nameNew(session: Session): string[] {
    const ids = [...session.supersedes].filter((id) => !this.named.has(id)).sort();
    for (const id of ids) this.named.add(id);
    return ids;
  }

  /** Devices that send g instead of m/s² give a mean of about 1. */
  private warnings({ start, end }: Session): { warnings?: string[] } {
    const inside = this.accelerations.filter(({ t }) => t >= start && t <= end);
    const mean = inside.reduce((sum, one) => sum + one.magnitude, 0) / inside.length;
    return mean >= 0.9 && mean <= 1.1 ? { warnings: ["acceleration-in-g"] } : {};
  }

  private writeEnded(session: Session, cause: Cause, write: Write): void {
    const { start, end, times } = session;
    write({
      type: "ended",
      sessionId: this.id(start),
      start,
      end,
      samples: times.length,
      revision: session.ended,
      cause,
      supersedes: this.nameNew(session),
      ...this.warnings(session),
    });
    session.ended += 1;
    session.open = false;
  }
}
