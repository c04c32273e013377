import { MillraceError } from "../../../domain/errors.ts";
import { windowMsOf, windowOperatorName } from "../../../domain/imu.ts";
import { barWindows } from "../../../domain/market.ts";
import type { PipelineName } from "../../../domain/pipelines.ts";
import type { Semantics } from "../../../domain/semantics.ts";
import type { EpochMs, Milliseconds } from "../../../domain/time.ts";
import type { KeyFacts, SeenFacts, SessionFacts, WaitingFacts, WindowFacts } from "../../runtime/facts.ts";
import type { WantedWindow } from "./arguments.ts";
import type { SnapshotFacts, TaskState } from "./read-state.ts";
import {
  type AskedWindow,
  sessionSentence,
  type Situation,
  untilReached,
  waitingSentence,
  watermarkSentence,
  whyOf,
} from "./why.ts";

/** Something with why it is not out. */
type Explained<T> = T & { readonly why: string };

/** The state of a key as it is printed. */
export interface Report {
  readonly key: string;
  readonly task: string;
  readonly partition: number;
  readonly snapshot: (SnapshotFacts & { readonly age: Milliseconds }) | null;
  readonly log: { readonly earliest: number; readonly latest: number };
  readonly committed: number | null;
  readonly reached: number;
  readonly stepped: number;
  readonly presence: KeyFacts["presence"];
  readonly maxEventTime: EpochMs;
  readonly watermark: Explained<{ readonly at: EpochMs; readonly scope: Semantics["watermark"] }>;
  /** Windows that wait to fire, by end. */
  readonly openWindows: readonly Explained<WindowFacts>[];
  /** Windows that have fired and still take late readings. */
  readonly firedWindows: number;
  readonly openSessions: readonly Explained<SessionFacts>[];
  /** Sessions that have ended and still take late readings. */
  readonly endedSessions: number;
  readonly waiting: Explained<WaitingFacts> | null;
  readonly seen: SeenFacts | null;
  readonly trades: number | null;
  /** The window that was asked about. */
  readonly window: Explained<AskedWindow> | null;
}

/** Puts a task's state and what was found of a window together. */
export function reportOf(state: TaskState, key: KeyFacts, asked: AskedWindow | null, now: EpochMs): Report {
  const { task, partition, snapshot, log, committed, reached, stepped, facts } = state;
  const { settings, maxEventTime, clock } = facts;
  const situation: Situation = { settings, key, maxEventTime, clock, committed, now };
  const due = key.windows.filter((window) => window.due).sort((a, b) => a.end - b.end || a.start - b.start);
  const sessions = key.sessions.filter((session) => session.due);
  return {
    key: key.key,
    task,
    partition,
    snapshot: snapshot && { ...snapshot, age: now - snapshot.clock },
    log,
    committed,
    reached,
    stepped,
    presence: key.presence,
    maxEventTime: key.maxEventTime,
    watermark: { at: key.watermark, scope: settings.watermark, why: watermarkSentence(situation) },
    openWindows: due.map((window) => ({ ...window, why: untilReached(window.end, situation) })),
    firedWindows: key.windows.length - due.length,
    openSessions: sessions.map((session) => ({ ...session, why: sessionSentence(session, situation) })),
    endedSessions: key.sessions.length - sessions.length,
    waiting: key.waiting && { ...key.waiting, why: waitingSentence(key.waiting, situation) },
    seen: key.seen,
    trades: key.trades,
    window: asked && { ...asked, why: whyOf(asked, situation) },
  };
}

/**
 * The end of a window that somebody names.
 *
 * @throws MillraceError `arguments-invalid` where the pipeline has no such window
 */
export function endOf(pipeline: PipelineName, settings: Semantics, { operator, start }: WantedWindow): EpochMs {
  const shapes: readonly Pick<Semantics, "windowMs" | "slideMs">[] = pipeline === "sensor" ? [settings] : barWindows;
  const shape = shapes.find(({ windowMs, slideMs }) => windowOperatorName(windowMs, slideMs) === operator);
  if (!shape) {
    const names = shapes.map(({ windowMs, slideMs }) => windowOperatorName(windowMs, slideMs)).join(" and ");
    throw new MillraceError("arguments-invalid", `--window names the operator ${operator}; there is ${names}`);
  }
  const { slideMs } = shape;
  if (start % slideMs !== 0) {
    const before = Math.floor(start / slideMs) * slideMs;
    throw new MillraceError(
      "arguments-invalid",
      `no window of ${operator} starts at ${start}; the nearest ones start at ${before} and ${before + slideMs}`,
    );
  }
  return start + windowMsOf(operator);
}
