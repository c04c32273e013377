import { type Cause, sessionId } from "../../domain/records.ts";
import type { EpochMs, Milliseconds, TimeInterval } from "../../domain/time.ts";
import type { Reader, Writer } from "../runtime/codec.ts";
import type { OperatorFacts } from "../runtime/facts.ts";
import type { KeyedState } from "../runtime/keyed-state.ts";
import { emitLate, type LateOutput } from "../runtime/late.ts";
import { MAX_ROWS, type Message } from "../runtime/message.ts";
import type { Operator, StepContext } from "../runtime/operator.ts";
import { clusterRows, type Cluster } from "./cluster-rows.ts";

/** Settings of a session operator; times in milliseconds. */
export interface SessionOptions<M extends Message> {
  readonly sessionGapMs: Milliseconds;
  readonly allowedLatenessMs: Milliseconds;
  /** Topic of the session records. */
  readonly to: string;
  /** The field of a record that holds the key. */
  readonly keyField: string;
  readonly late: LateOutput<M>;
  /** Warns of a column's mean over a session. @default no warning */
  readonly meanWarning?: MeanWarning;
}

/** A warning in the `ended` records of sessions in which a column's mean is from `from` to `to`, both inclusive. */
export interface MeanWarning {
  readonly code: string;
  /** Index of the column. */
  readonly column: number;
  readonly from: number;
  readonly to: number;
}

/** One session of one key; two sessions of a key are always more than the gap apart. */
interface Session {
  start: EpochMs;
  /** Time of the last sample. */
  end: EpochMs;
  samples: number;
  /** Sum of the column that `meanWarning` looks at; NaN where a version began the session that kept none. */
  sum: number;
  /** How many `ended` records its id has. */
  ended: number;
  /** Whether it has changed since its last `ended` record, or has none. */
  due: boolean;
  /** Ids of the sessions that it has swallowed, itself or through others, and that no record has named yet. */
  unnamed: readonly string[];
  /** Seconds per label: its own first, then those of the sessions that it has swallowed. Scores fill them in later. */
  activity: readonly Activity[];
}

type Activity = Map<string, number>;

/** A session that a message has changed. */
interface Touched {
  readonly session: Session;
  readonly isNew: boolean;
}

/**
 * Merging sessions by event time: samples of a key at most the gap apart belong together.
 *
 * A session's id is its key and its first sample's time. Data that gives a session an earlier start makes a session
 * with a new id, which supersedes the old one; a session that joins two keeps the id of the earlier. Each superseded id
 * is named by one record. A session ends when the watermark reaches its last sample + gap, or when its key goes idle.
 * It is kept for the allowed lateness after that.
 */
export class SessionOperator<M extends Message> implements Operator<Session[], M> {
  readonly name = "session";
  readonly layout = 2;
  readonly #options: SessionOptions<M>;

  constructor(options: SessionOptions<M>) {
    this.#options = options;
  }

  create(): Session[] {
    return [];
  }

  apply(sessions: Session[], keyed: KeyedState, message: M, watermark: EpochMs, context: StepContext): void {
    const { sessionGapMs, late } = this.#options;
    this.#forgetFinal(sessions, watermark);
    const firstInTime = this.#firstInTime(message, keyed.finalUpTo, watermark);
    if (firstInTime === 0 && this.#extendLast(sessions, message, watermark)) return;
    for (const missed of clusterRows(message, 0, firstInTime, sessionGapMs)) {
      const interval = { start: missed.start, end: missed.end + sessionGapMs };
      emitLate(late, message, "session", interval, missed.from, missed.to, context);
    }
    const touched: Touched[] = [];
    for (const cluster of clusterRows(message, firstInTime, message.rows, sessionGapMs)) {
      this.#merge(sessions, message, cluster, touched);
    }
    for (const { session, isNew } of touched) {
      if (watermark >= session.end + sessionGapMs) this.#emitEnded(session, message.key, "late", context);
      else if (isNew) this.#emitStarted(session, message.key, context);
    }
  }

  fire(
    sessions: Session[],
    keyed: KeyedState,
    upTo: EpochMs,
    watermark: EpochMs,
    cause: Cause,
    context: StepContext,
  ): void {
    for (const session of sessions) {
      if (session.due && upTo >= session.end + this.#options.sessionGapMs) {
        this.#emitEnded(session, keyed.key, cause, context);
      }
    }
    this.#forgetFinal(sessions, watermark);
  }

  dueAt(sessions: Session[]): EpochMs {
    const first = sessions.find((session) => session.due);
    return first ? first.end + this.#options.sessionGapMs : Infinity;
  }

  facts(sessions: Session[]): OperatorFacts {
    return {
      sessions: sessions.map(({ start, end: last, samples, ended, due }) => ({ start, last, samples, ended, due })),
    };
  }

  encode(sessions: Session[], writer: Writer): void {
    writer.u32(sessions.length);
    for (const session of sessions) {
      writer.f64(session.start);
      writer.f64(session.end);
      writer.f64(session.samples);
      writer.f64(session.sum);
      writer.u32(session.ended);
      writer.u8(session.due ? 1 : 0);
      writer.u32(session.unnamed.length);
      for (const id of session.unnamed) writer.text(id);
      const activity = total(session.activity);
      writer.u32(activity.size);
      for (const [label, seconds] of activity) {
        writer.text(label);
        writer.f64(seconds);
      }
    }
  }

  decode(reader: Reader, layout: number): Session[] {
    return Array.from({ length: reader.u32() }, () => ({
      start: reader.f64(),
      end: reader.f64(),
      samples: reader.f64(),
      sum: layout >= 2 ? reader.f64() : NaN,
      ended: reader.u32(),
      due: reader.u8() === 1,
      unnamed: Array.from({ length: reader.u32() }, () => reader.text()),
      activity: [new Map(Array.from({ length: reader.u32() }, (): [string, number] => [reader.text(), reader.f64()]))],
    }));
  }

  /** Gives a function that adds seconds of a label to the session of an interval; null when none is kept. */
  credit(
    sessions: readonly Session[],
    { start, end }: TimeInterval,
  ): ((label: string, seconds: number) => void) | null {
    const session = sessions.findLast((one) => one.start < end && one.end >= start);
    if (!session) return null;
    if (session.activity.length === 0) session.activity = [new Map()];
    const activity = session.activity[0]!;
    return (label, seconds) => activity.set(label, (activity.get(label) ?? 0) + seconds);
  }

  /** Drops sessions that nothing can change any more. Sessions are sorted and a gap apart, so those come first. */
  #forgetFinal(sessions: Session[], watermark: EpochMs): void {
    const { sessionGapMs, allowedLatenessMs } = this.#options;
    let final = 0;
    while (final < sessions.length && watermark >= sessions[final]!.end + sessionGapMs + allowedLatenessMs) final++;
    if (final > 0) sessions.splice(0, final);
  }

  /** The first row that is not final, and not too late: the watermark has not reached its time + gap + lateness. */
  #firstInTime(message: Message, finalUpTo: EpochMs, watermark: EpochMs): number {
    const { sessionGapMs, allowedLatenessMs } = this.#options;
    const { t, rows } = message;
    let row = 0;
    while (row < rows && (t[row]! <= finalUpTo || watermark >= t[row]! + sessionGapMs + allowedLatenessMs)) row++;
    return row;
  }

  /**
   * Adds a message to the last session where that is all that it does, as nearly every message: it has no gap, begins
   * within the session or at most the gap behind it, and the session does not end by it.
   */
  #extendLast(sessions: Session[], message: M, watermark: EpochMs): boolean {
    const gap = this.#options.sessionGapMs;
    const session = sessions.at(-1);
    const { rows, t, firstTime, lastTime } = message;
    if (!session || firstTime < session.start || firstTime - session.end > gap) return false;
    const end = Math.max(session.end, lastTime);
    if (watermark >= end + gap) return false;
    for (let row = 1; row < rows; row++) if (t[row]! - t[row - 1]! > gap) return false;
    session.samples += rows;
    session.sum += this.#sumOf(message, 0, rows);
    session.end = end;
    session.due = true;
    return true;
  }

  /**
   * Joins a cluster with the sessions that it touches. Clusters are sorted by start, so a cluster touches at most the
   * last session that an earlier cluster has changed.
   */
  #merge(sessions: Session[], message: M, cluster: Cluster, touched: Touched[]): void {
    const gap = this.#options.sessionGapMs;
    let first = 0;
    while (first < sessions.length && cluster.start - sessions[first]!.end > gap) first++;
    let behind = first;
    while (behind < sessions.length && sessions[behind]!.start - cluster.end <= gap) behind++;
    const joined = sessions.slice(first, behind);
    const kept = joined[0] && joined[0].start <= cluster.start ? joined[0] : null;
    const session = kept ?? newSession(cluster);
    session.samples += cluster.to - cluster.from;
    session.sum += this.#sumOf(message, cluster.from, cluster.to);
    session.end = Math.max(session.end, cluster.end);
    session.due = true;
    const swallowed = kept ? joined.slice(1) : joined;
    for (const other of swallowed) {
      session.samples += other.samples;
      session.sum += other.sum;
      session.end = Math.max(session.end, other.end);
      session.activity = [...session.activity, ...other.activity];
    }
    if (swallowed.length > 0) {
      const ids = swallowed.flatMap((other) => [sessionId(message.key, other.start), ...other.unnamed]);
      session.unnamed = [...session.unnamed, ...ids];
    }
    if (joined.length !== 1 || kept === null) sessions.splice(first, joined.length, session);
    if (touched.at(-1)?.session !== session) touched.push({ session, isNew: kept === null });
  }

  #sumOf({ columns }: M, from: number, to: number): number {
    const { meanWarning } = this.#options;
    if (!meanWarning) return 0;
    const column = meanWarning.column * MAX_ROWS;
    let sum = 0;
    for (let i = column + from; i < column + to; i++) sum += columns[i]!;
    return sum;
  }

  /** The field of the warnings; no field when there is none. */
  #warnings({ sum, samples }: Session): { warnings?: string[] } {
    const { meanWarning } = this.#options;
    if (!meanWarning) return {};
    const mean = sum / samples;
    return mean >= meanWarning.from && mean <= meanWarning.to ? { warnings: [meanWarning.code] } : {};
  }

  #emitStarted(session: Session, key: string, context: StepContext): void {
    const { to, keyField } = this.#options;
    context.counters.add("processor.sessions-started");
    context.out.json(to, key, {
      type: "started",
      sessionId: sessionId(key, session.start),
      [keyField]: key,
      start: session.start,
      supersedes: takeUnnamed(session),
    });
  }

  /** Emits the end of a session. Its activity is added when the scores of all hops before it are there. */
  #emitEnded(session: Session, key: string, cause: Cause, context: StepContext): void {
    const { to, keyField } = this.#options;
    const revision = session.ended++;
    session.due = false;
    context.counters.add("processor.sessions-ended");
    const output = context.out.pending(to, key, {
      type: "ended",
      sessionId: sessionId(key, session.start),
      [keyField]: key,
      start: session.start,
      end: session.end,
      samples: session.samples,
      revision,
      cause,
      supersedes: takeUnnamed(session),
      ...this.#warnings(session),
    });
    const { activity } = session;
    context.whenSettled(() => output.complete(activityFields(activity)));
  }
}

/** A session of a cluster whose samples are not counted yet. */
function newSession({ start, end }: Cluster): Session {
  return { start, end, samples: 0, sum: 0, ended: 0, due: true, unnamed: [], activity: [] };
}

/** The ids that a session's next record names, sorted: each is named once. */
function takeUnnamed(session: Session): string[] {
  const ids = [...session.unnamed].sort();
  session.unnamed = [];
  return ids;
}

/** The field of the activity, labels in byte order; no field when there is none. */
function activityFields(accounts: readonly Activity[]): { activity?: Record<string, number> } {
  const seconds = total(accounts);
  if (seconds.size === 0) return {};
  return { activity: Object.fromEntries([...seconds].sort(([a], [b]) => (a < b ? -1 : 1))) };
}

/** Seconds per label over several accounts. */
function total(accounts: readonly Activity[]): Activity {
  const sum: Activity = new Map();
  for (const account of accounts) {
    for (const [label, seconds] of account) sum.set(label, (sum.get(label) ?? 0) + seconds);
  }
  return sum;
}
