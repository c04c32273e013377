import {
  DeleteRecordCommand,
  GetRecordCommand,
  PutRecordCommand,
} from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { createLogger } from "../../adapters/log.ts";
import { Timings, type Percentiles } from "../../adapters/timings.ts";
import { readSettings } from "../../config/settings.ts";
import {
  EVENT_TIME_FEATURE,
  featureGroups,
  type FeatureGroupKey,
  type FeatureGroupSpec,
} from "../../domain/features.ts";
import { existingWhere } from "../../domain/pipelines.ts";
import { DAY, type EpochMs } from "../../domain/time.ts";
import { featureStoreClient } from "../shared/feature-store.ts";
import { OfflineStores, type OfflineRow } from "../shared/offline-stores.ts";
import {
  CANARY,
  canaryRecord,
  differences,
  earlierRun,
  eventTimeText,
  isOffline,
  verdict,
  type Features,
} from "./check.ts";

const settings = readSettings("checkFeatures", process.env);
const logger = createLogger("check-features", settings.logLevel);
const client = featureStoreClient(settings.region, settings.featureStoreEndpoint);
const offline = new OfflineStores(settings);

interface CheckedGroup extends FeatureGroupSpec {
  readonly key: FeatureGroupKey;
  /** Its whole name. */
  readonly group: string;
}
const groups = existingWhere<CheckedGroup>(
  [
    { ...featureGroups.sensorWindows, key: "sensorWindows", group: settings.featureGroup },
    { ...featureGroups.marketBars, key: "marketBars", group: settings.marketFeatureGroup },
  ],
  settings.pipelines,
);

/** Reads that are timed, at most. */
const MAX_READS = 1_000;

/** What the check is asked; the schedule asks nothing. */
export interface CheckRequest {
  /** Records that must be there, by group. @default the newest of the offline store, if there are any */
  readonly identifiers?: Partial<Record<FeatureGroupKey, readonly string[]>>;
  /** Whether any group without records is wrong. @default false */
  readonly expectsRecords?: boolean;
  /** Reads of a record that are timed, one after the other. @default 20 */
  readonly reads?: number;
}

/** What the check answers, of each group. */
export interface CheckedFeatures {
  readonly groups: readonly {
    readonly group: string;
    /** A sentence for each thing that was found. */
    readonly found: readonly string[];
    /** Whether the offline store has the newest record online of each identifier. */
    readonly isOffline: boolean;
    readonly reads: number;
    /** Milliseconds that a read took. */
    readonly readMs: Percentiles;
  }[];
  /** The same for people. */
  readonly text: string;
}

/**
 * Runs on a schedule, for each feature group that is there. It writes a record, then an older one, and reads the record
 * back: the older one must not have replaced it. It appends a deletion of that record to the offline store, where the
 * ones of earlier runs must be; no reader that leaves out deleted records sees them. And it looks for the newest
 * records of both stores in the other one.
 *
 * @throws Error that lists what is missing; the alarm on the function's errors reports it
 */
export async function handler(request: CheckRequest = {}): Promise<CheckedFeatures> {
  const checked = await Promise.all(groups.map((group) => checkGroup(group, request)));
  for (const { about } of checked) logger.info(about, "features were checked");
  const missing = checked.flatMap(({ about: { group }, missing: texts }) => texts.map((text) => `${group}: ${text}`));
  if (missing.length > 0) throw new Error(missing.join("; "));
  const found = checked.map(({ about }) => about);
  return { groups: found, text: found.map(textOf).join("\n") };
}

function textOf({ group, found, reads, readMs: { p50, p99 } }: CheckedFeatures["groups"][number]): string {
  const timed = `${reads} reads took p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms; p99 under 50 ms is wanted`;
  return `${group}: ${[...found, timed].join("; ")}`;
}

async function checkGroup(
  group: CheckedGroup,
  { identifiers, expectsRecords = false, reads = 20 }: CheckRequest,
): Promise<{ readonly about: CheckedFeatures["groups"][number]; readonly missing: readonly string[] }> {
  const nowMs = Date.now();
  const earlier = earlierRun(await read(group, CANARY));
  await checkOnline(group, nowMs, earlier?.sinceMs ?? nowMs);
  const asked = identifiers?.[group.key];
  const [rows, canaryRows] = await Promise.all([
    offline.newest(group.group, group, nowMs - DAY, asked),
    offline.newest(group.group, group, nowMs - DAY, [CANARY]),
  ]);
  const newest = await Promise.all(
    namesOf(rows, asked).map(async (identifier) => ({
      identifier,
      online: eventTimeOf(await read(group, identifier)),
      ...offlineOf(rows, identifier),
    })),
  );
  const { found, missing } = verdict({
    group: group.group,
    offlineCanary: canaryRows[0]?.eventTime ?? null,
    earlier,
    newest,
    expectsRecords: asked !== undefined || expectsRecords,
    nowMs,
  });
  const timed = await timeReads(group, Math.min(reads, MAX_READS));
  return { about: { group: group.group, found, isOffline: isOffline(newest), ...timed }, missing };
}

/** Writes the check's record, reads it back, and appends its deletion to the offline store. */
async function checkOnline(group: CheckedGroup, nowMs: EpochMs, sinceMs: EpochMs): Promise<void> {
  const FeatureGroupName = group.group;
  const marker = nowMs % 1_000_000;
  const expected = canaryRecord(group, nowMs, marker, sinceMs);
  const put = (Record: typeof expected): Promise<unknown> =>
    client.send(new PutRecordCommand({ FeatureGroupName, Record, TargetStores: ["OnlineStore"] }));
  await put(expected);
  await put(canaryRecord(group, nowMs - 1_000, marker + 1, sinceMs));
  const wrong = differences(expected, await read(group, CANARY));
  if (wrong.length > 0) throw new Error(`the online store of ${FeatureGroupName} is wrong: ${wrong.join("; ")}`);
  await client.send(
    new DeleteRecordCommand({
      FeatureGroupName,
      RecordIdentifierValueAsString: CANARY,
      EventTime: eventTimeText(nowMs),
      TargetStores: ["OfflineStore"],
    }),
  );
}

async function read({ group }: CheckedGroup, identifier: string): Promise<Features> {
  const { Record = [] } = await client.send(
    new GetRecordCommand({ FeatureGroupName: group, RecordIdentifierValueAsString: identifier }),
  );
  return Record;
}

async function timeReads(group: CheckedGroup, reads: number): Promise<{ reads: number; readMs: Percentiles }> {
  const timings = new Timings();
  for (let i = 0; i < reads; i++) {
    const begun = performance.now();
    await read(group, CANARY);
    timings.add(performance.now() - begun);
  }
  return { reads, readMs: timings.percentiles() };
}

/** The identifiers to compare: those that were asked for, or those of the offline store. */
function namesOf(rows: readonly OfflineRow[], asked: readonly string[] | undefined): string[] {
  return [...new Set(asked ?? rows.map(({ identifier }) => identifier))].filter((name) => name !== CANARY);
}

function offlineOf(rows: readonly OfflineRow[], name: string): { offline: number | null; isDeleted: boolean } {
  const own = rows.filter(({ identifier }) => identifier === name).toSorted((a, b) => b.eventTime - a.eventTime);
  return {
    offline: own.find(({ isDeleted }) => !isDeleted)?.eventTime ?? null,
    isDeleted: own[0]?.isDeleted ?? false,
  };
}

/** Event time of a record, epoch seconds; null for no record. */
function eventTimeOf(record: Features): number | null {
  const text = record.find(({ FeatureName }) => FeatureName === EVENT_TIME_FEATURE)?.ValueAsString;
  return text === undefined ? null : Number(text);
}
