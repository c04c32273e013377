import type { EpochMs, Milliseconds, TimeInterval } from "../../../domain/time.ts";
import type { KeyFacts, SessionFacts, WaitingFacts, WindowFacts } from "../../runtime/facts.ts";
import type { Firing } from "./firings.ts";

/** Without a record for so long, ticks do not reach a partition: the bridge appends one a second. */
const QUIET: Milliseconds = 10_000;

/** The settings that decide when something is out. */
export interface TimeSettings {
  readonly outOfOrdernessMs: Milliseconds;
  readonly allowedLatenessMs: Milliseconds;
  readonly idleTimeoutMs: Milliseconds;
  readonly sessionGapMs: Milliseconds;
  readonly watermark: "sensor" | "partition";
}

/** What is known of the time of a key. */
export interface Situation {
  readonly settings: TimeSettings;
  readonly key: Pick<KeyFacts, "presence" | "maxEventTime" | "watermark" | "finalUpTo" | "silentFor">;
  /** Highest event time of the partition. */
  readonly maxEventTime: EpochMs;
  /** The partition clock. */
  readonly clock: EpochMs;
  /** The task has committed the offsets below; null for nothing. */
  readonly committed: number | null;
  /** What the clock says. */
  readonly now: EpochMs;
}

/** A window that is asked about, and what was found of it. */
export interface AskedWindow extends TimeInterval {
  readonly operator: string;
  /** Null: the state has no such window. */
  readonly kept: WindowFacts | null;
  /** The last one in the topic. */
  readonly last: Firing | null;
  /** Those that the task has not committed yet. */
  readonly coming: readonly Firing[];
}

/** What the watermark is, and what holds it where it is. */
export function watermarkSentence(situation: Situation): string {
  const { settings, key } = situation;
  if (key.watermark === -Infinity) return "there is none: no reading was accepted yet";
  const { whose, newest } = newestOf(situation);
  return (
    `${iso(key.watermark)}, ${seconds(newest - key.watermark)} behind the newest reading of the ${whose} ` +
    `(the bound is ${seconds(settings.outOfOrdernessMs)}); ${silenceSentence(situation)}`
  );
}

/** How long a key is silent, and what follows from that. */
function silenceSentence({ settings, key, clock, now }: Situation): string {
  const { presence, silentFor } = key;
  if (presence === "expired") return "it is expired: a tombstone is all that is left";
  if (presence === "idle")
    return "it is idle: what it had open has fired, and the watermark stays until it sends again";
  const silence = `it has been silent for ${seconds(silentFor)} of ${seconds(settings.idleTimeoutMs)}`;
  const quiet = now - clock;
  if (quiet <= QUIET) return silence;
  const since = `the partition has had no record, and no tick of the bridge, for ${seconds(quiet)}`;
  return `${silence}, and that does not grow: ${since}`;
}

/** Why a window is not out, or when it fired. */
export function whyOf(window: AskedWindow, situation: Situation): string {
  const { kept, last, coming } = window;
  const sentences = [...(last ? [firedSentence(last)] : []), ...coming.map((one) => comingSentence(one, situation))];
  if (kept?.due) sentences.push(...dueSentences(kept, situation));
  else if (kept) sentences.push(...keptSentences(kept, window, situation));
  else sentences.push(...absentSentences(window, situation));
  return sentences.map((one, i) => (i === 0 ? one : one[0]!.toUpperCase() + one.slice(1))).join(". ");
}

function firedSentence({ revision, cause, count, at, id }: Firing): string {
  return `it was fired as revision ${revision} at ${iso(at!)} (cause ${cause}, ${count} readings, id ${id})`;
}

function comingSentence({ revision, cause, offset }: Firing, { committed }: Situation): string {
  return (
    `revision ${revision} fires in the step of offset ${offset} (cause ${cause}), which the task has not committed ` +
    `yet: it has committed ${committed === null ? "nothing" : `the offsets below ${committed}`}`
  );
}

/** A window that has changed since it fired, or has not fired yet. */
function dueSentences({ end, fired, count }: WindowFacts, situation: Situation): string[] {
  const has = fired === 0 ? `it has ${count} readings and has not fired` : `it has changed since revision ${fired - 1}`;
  return [`${has}: ${untilReached(end, situation)}`];
}

/** What is missing until the watermark reaches a time, as a sentence. */
export function untilReached(time: EpochMs, situation: Situation): string {
  const { settings, key } = situation;
  if (key.watermark >= time) return "the watermark has reached it, so the next record brings it out";
  const { whose, newest } = newestOf(situation);
  const missing = time + settings.outOfOrdernessMs;
  const reason =
    newest < time
      ? `the newest reading of the ${whose} is of ${iso(newest)}, before that`
      : `the watermark stays ${seconds(settings.outOfOrdernessMs)} behind the newest reading of the ${whose}, ` +
        iso(newest);
  return (
    `the watermark must reach ${iso(time)} and is ${seconds(time - key.watermark)} behind, because ${reason}. ` +
    `A reading of ${iso(missing)} or later gets it there, or silence: ${silenceSentence(situation)}`
  );
}

/** A window that is as it was when it fired last. */
function keptSentences(
  { end, fired, count }: WindowFacts,
  { last, coming }: AskedWindow,
  { settings }: Situation,
): string[] {
  const closedAt = iso(end + settings.allowedLatenessMs);
  const open = `it fires again only if a reading for it comes before the watermark reaches ${closedAt}`;
  if (last || coming.length > 0) return [open];
  return [`it was fired as revision ${fired - 1} with ${count} readings, longer ago than its topic was searched`, open];
}

/** A window that the state does not have. */
function absentSentences({ start, end, last, coming }: AskedWindow, situation: Situation): string[] {
  const { key, settings } = situation;
  const isOut = last !== null || coming.length > 0;
  const closedAt = end + settings.allowedLatenessMs;
  const unknown = isOut
    ? []
    : ["no firing of it was found: it was empty, or fired longer ago than its topic was searched"];
  if (start <= key.finalUpTo) {
    const upTo = iso(key.finalUpTo);
    return [`it is final: an expiry or a change of settings closed what begins at or before ${upTo}`, ...unknown];
  }
  if (key.watermark >= closedAt) {
    const passed = `the watermark has passed ${iso(closedAt)}, its end and the allowed lateness`;
    return [`it is closed: ${passed}, and readings for it are late`, ...unknown];
  }
  if (key.watermark >= end)
    return [
      "it was empty when the watermark passed it, and a window without readings does not fire. " +
        `A reading for it that comes before the watermark reaches ${iso(closedAt)} still makes it fire`,
    ];
  const { whose, newest } = newestOf(situation);
  return [
    newest === -Infinity
      ? "it is empty: no reading was accepted yet"
      : `it is empty so far: no reading for it has come, and the newest one of the ${whose} is of ${iso(newest)}`,
  ];
}

/** When a session ends. */
export function sessionSentence({ last }: SessionFacts, situation: Situation): string {
  return `ends ${seconds(situation.settings.sessionGapMs)} behind its last sample: ${untilReached(
    last + situation.settings.sessionGapMs,
    situation,
  )}`;
}

/** What waiting messages wait for, and until when. */
export function waitingSentence(
  { boot, next, first, firstTime, messages, bytes }: WaitingFacts,
  situation: Situation,
): string {
  const of = boot === null ? "" : ` of boot ${boot}`;
  if (messages === 0) return `nothing waits; seq ${next}${of} is released at once`;
  const gap = first! - 1 === next ? `seq ${next}` : `seq ${next} to ${first! - 1}`;
  const until = untilReached(firstTime, situation);
  const wait = messages === 1 ? "1 message waits" : `${messages} messages wait`;
  return `${wait} for ${gap}${of} (${bytes} bytes). Without it: ${until}`;
}

/** Whose newest reading moves the watermark, and its time. */
function newestOf({ settings, key, maxEventTime }: Situation): { readonly whose: string; readonly newest: EpochMs } {
  return settings.watermark === "sensor"
    ? { whose: "sensor", newest: key.maxEventTime }
    : { whose: "partition", newest: maxEventTime };
}

/** A duration in seconds, such as `1.25 s`. */
export function seconds(duration: Milliseconds): string {
  return `${Math.round(duration) / 1_000} s`;
}

/** A time as ISO 8601; `never` for one that is not there. */
export function iso(time: EpochMs): string {
  return Number.isFinite(time) ? new Date(time).toISOString() : "never";
}
