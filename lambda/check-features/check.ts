import { EVENT_TIME_FEATURE, type FeatureGroupSpec, OFFLINE_LIMIT_MS } from "../../domain/features.ts";
import { MINUTE, SECOND, type EpochMs, type Milliseconds } from "../../domain/time.ts";

/** Identifier of the record that the check writes. No sensor or symbol can have it, as neither has a `#`. */
export const CANARY = "#millrace-check";
/** The feature of the check's record that says since when the check has run, epoch ms. Every group has it. */
const SINCE_FEATURE = "window_start";

/** Features by name, as the online store gives them. */
export type Features = readonly { FeatureName?: string | undefined; ValueAsString?: string | undefined }[];

/** The service writes a record to the offline store within 15 minutes. Later than this, the check misses it. */
export function canaryRecord(
  { recordIdentifier, features }: FeatureGroupSpec,
  eventTimeMs: EpochMs,
  marker: number,
  sinceMs: EpochMs,
): { FeatureName: string; ValueAsString: string }[] {
  const valueOf = (name: string, type: string): string => {
    if (name === recordIdentifier) return CANARY;
    if (name === EVENT_TIME_FEATURE) return eventTimeText(eventTimeMs);
    if (name === SINCE_FEATURE) return String(sinceMs);
    return String(type === "Integral" ? Math.trunc(marker) : marker);
  };
  return features.map(({ name, type }) => ({ FeatureName: name, ValueAsString: valueOf(name, type) }));
}

/** An event time as the feature store takes it: epoch seconds. */
export function eventTimeText(eventTimeMs: EpochMs): string {
  return (eventTimeMs / 1_000).toFixed(6);
}

/** How the record that the online store gave back differs from `expected`, one text per feature. */
export function differences(
  expected: readonly { FeatureName: string; ValueAsString: string }[],
  received: Features,
): string[] {
  const values = new Map(received.map(({ FeatureName, ValueAsString }) => [FeatureName, ValueAsString]));
  return expected
    .filter(({ FeatureName, ValueAsString }) => values.get(FeatureName) !== ValueAsString)
    .map(
      ({ FeatureName, ValueAsString }) =>
        `${FeatureName} is ${values.get(FeatureName) ?? "absent"}, expected ${ValueAsString}`,
    );
}

/** Checks of earlier releases had a smaller number in `SINCE_FEATURE`, and wrote nothing to the offline store. */
const FIRST_SINCE_MS: EpochMs = Date.parse("2020-01-01");

/** When an earlier run wrote its record, and since when the check has run; null for no earlier run. */
export function earlierRun(received: Features): { readonly atMs: EpochMs; readonly sinceMs: EpochMs } | null {
  const values = new Map(received.map(({ FeatureName, ValueAsString }) => [FeatureName, Number(ValueAsString)]));
  const [at, sinceMs] = [values.get(EVENT_TIME_FEATURE), values.get(SINCE_FEATURE)];
  if (at === undefined || sinceMs === undefined || sinceMs < FIRST_SINCE_MS) return null;
  return { atMs: Math.round(at * 1_000), sinceMs };
}

/** The newest record of an identifier in a store: event time in epoch seconds, null for none. */
export interface Newest {
  readonly identifier: string;
  readonly online: number | null;
  readonly offline: number | null;
  /** Whether its newest row in the offline store says that it was deleted. */
  readonly isDeleted: boolean;
}

/** Whether the offline store has every record that the online store has, or a newer one; false where that has none. */
export function isOffline(newest: readonly Newest[]): boolean {
  const records = newest.flatMap(({ online, offline }) => (online === null ? [] : [{ online, offline }]));
  return records.length > 0 && records.every(({ online, offline }) => offline !== null && offline >= online);
}

export interface GroupFindings {
  readonly group: string;
  /** Newest event time (epoch seconds) of the check's own deletions in the offline store; null for none. */
  readonly offlineCanary: number | null;
  readonly earlier: ReturnType<typeof earlierRun>;
  readonly newest: readonly Newest[];
  /** Whether a group without records is wrong. */
  readonly expectsRecords: boolean;
  readonly nowMs: EpochMs;
}

/** What the check says of a group: a sentence for each thing that it found, and one for each that is missing. */
export interface Verdict {
  readonly found: readonly string[];
  readonly missing: readonly string[];
}

/** Compares what the two stores of a group have. */
export function verdict(findings: GroupFindings): Verdict {
  const found: string[] = [];
  const missing: string[] = [];
  const say = (isWrong: boolean, sentence: string): void => void (isWrong ? missing : found).push(sentence);
  judgeCanary(findings, say);
  judgeNewest(findings, say);
  for (const { identifier, online, offline, isDeleted } of findings.newest)
    if (online === null && offline !== null && !isDeleted)
      missing.push(`the online store lacks ${identifier}, whose newest record offline is of ${iso(offline)}`);
  return { found, missing };
}

type Say = (isWrong: boolean, sentence: string) => void;

/** The check's own deletions: they come whether devices send or not, so the newest is never old. */
function judgeCanary({ offlineCanary, earlier, nowMs }: GroupFindings, say: Say): void {
  const offlineMs = offlineCanary === null ? null : Math.round(offlineCanary * 1_000);
  if (offlineMs !== null && offlineMs >= nowMs) return say(false, "the offline store has this check already");
  if (earlier === null) return say(false, "this is the first check: the next ones look for it in the offline store");
  if (offlineMs === null) {
    const checkedMs = nowMs - earlier.sinceMs;
    return say(checkedMs > OFFLINE_LIMIT_MS, `the offline store has none of the checks of ${age(checkedMs)}`);
  }
  const behindMs = earlier.atMs - offlineMs;
  if (behindMs <= 0) return say(false, "the offline store has the check before this one");
  const allowed = `${age(OFFLINE_LIMIT_MS)} are allowed`;
  say(
    behindMs > OFFLINE_LIMIT_MS,
    `the offline store is ${age(behindMs)} behind the check before this one; ${allowed}`,
  );
}

function judgeNewest({ newest, expectsRecords, nowMs }: GroupFindings, say: Say): void {
  const best = newest
    .filter((one): one is Newest & { online: number } => one.online !== null)
    .toSorted((a, b) => b.online - a.online)[0];
  if (best === undefined)
    return say(expectsRecords, "neither store has a record of the last day, or of what was asked for");
  const ageMs = nowMs - best.online * 1_000;
  // A bar that fired because its symbol was silent ends later than now.
  const when = ageMs < 0 ? `${age(-ageMs)} ahead` : `${age(ageMs)} old`;
  const what = `the newest record online is ${best.identifier} of ${iso(best.online)}, ${when}`;
  if (best.offline !== null && best.offline >= best.online) return say(false, `${what}; the offline store has it`);
  const behind =
    best.offline === null
      ? "the offline store has none of it"
      : `the offline store is ${age((best.online - best.offline) * 1_000)} behind`;
  // It can't have been online for longer than it is old.
  say(ageMs > OFFLINE_LIMIT_MS, `${what}; ${behind}`);
}

function iso(seconds: number): string {
  return new Date(seconds * 1_000).toISOString();
}

function age(ms: Milliseconds): string {
  return ms < 2 * MINUTE ? `${(ms / SECOND).toFixed(1)} s` : `${(ms / MINUTE).toFixed(1)} min`;
}
