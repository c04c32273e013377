import type { FeatureSpec } from "../../domain/features.ts";
import { ServiceError } from "../aws/service-error.ts";

/** Schema of a feature group. */
export interface FeatureGroup {
  readonly name: string;
  readonly recordIdentifier: string;
  readonly eventTime: string;
  readonly features: readonly FeatureSpec[];
}

export interface FeatureValue {
  readonly FeatureName: string;
  readonly ValueAsString: string;
}

/** A record that passed the service's checks. */
export interface CheckedRecord {
  readonly identifier: string;
  readonly eventTimeMs: number;
  readonly values: readonly FeatureValue[];
}

/** Maximum size of a record. */
const RECORD_BYTES = 350 * 1024;
const ISO_8601 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{3})?Z$/;

/** A `ValidationError` (400). */
export const invalid = (message: string): ServiceError => new ServiceError("ValidationError", 400, message);

/**
 * Checks a record of PutRecord against its feature group.
 *
 * @throws ServiceError `ValidationError`
 */
export function checkRecord(group: FeatureGroup, record: unknown): CheckedRecord {
  if (!Array.isArray(record) || record.length === 0) throw invalid("Record must have at least one feature value");
  const types = new Map(group.features.map(({ name, type }) => [name, type]));
  const values = new Map<string, string>();
  for (const item of record as readonly Partial<FeatureValue>[]) {
    const { FeatureName: name, ValueAsString: value } = item ?? {};
    if (typeof name !== "string" || typeof value !== "string")
      throw invalid(`a feature value needs FeatureName and ValueAsString, received ${JSON.stringify(item)}`);
    const type = types.get(name);
    if (type === undefined) throw invalid(`Feature name [${name}] is not in feature group ${group.name}`);
    if (values.has(name)) throw invalid(`Feature name [${name}] is given twice`);
    if (type === "Integral" && !/^[+-]?\d+$/.test(value))
      throw invalid(`Feature [${name}] is Integral, received ${JSON.stringify(value)}`);
    if (type === "Fractional" && (value.trim() === "" || !Number.isFinite(Number(value))))
      throw invalid(`Feature [${name}] is Fractional, received ${JSON.stringify(value)}`);
    values.set(name, value);
  }
  const identifier = values.get(group.recordIdentifier);
  const eventTime = values.get(group.eventTime);
  if (!identifier) throw invalid(`the record identifier [${group.recordIdentifier}] is missing`);
  if (eventTime === undefined) throw invalid(`the event time [${group.eventTime}] is missing`);
  const checked = [...values].map(([FeatureName, ValueAsString]) => ({ FeatureName, ValueAsString }));
  const bytes = checked.reduce(
    (sum, value) => sum + Buffer.byteLength(value.FeatureName) + Buffer.byteLength(value.ValueAsString),
    0,
  );
  if (bytes > RECORD_BYTES) throw invalid(`the record has ${bytes} bytes: at most ${RECORD_BYTES} are allowed`);
  return { identifier, eventTimeMs: parseEventTime(group, eventTime), values: checked };
}

/**
 * Parses an event time: ISO 8601 with seconds or milliseconds when the feature is a String, otherwise Unix seconds.
 *
 * @returns Epoch ms
 * @throws ServiceError `ValidationError`
 */
export function parseEventTime(group: FeatureGroup, text: string): number {
  const isString = group.features.find(({ name }) => name === group.eventTime)?.type === "String";
  const ms = isString ? (ISO_8601.test(text) ? Date.parse(text) : Number.NaN) : Number(text) * 1_000;
  if (Number.isNaN(ms)) {
    const expected = isString ? "yyyy-MM-dd'T'HH:mm:ssZ or yyyy-MM-dd'T'HH:mm:ss.SSSZ" : "Unix seconds";
    throw invalid(`the event time [${group.eventTime}] must be ${expected}, received ${JSON.stringify(text)}`);
  }
  return ms;
}

const unitMs = { Seconds: 1_000, Minutes: 60_000, Hours: 3_600_000, Days: 86_400_000, Weeks: 604_800_000 } as const;

/**
 * Expiry of a record with this time to live.
 *
 * @returns Epoch ms; null for never
 * @throws ServiceError `ValidationError`
 */
export function expiryOf(eventTimeMs: number, ttl: unknown): number | null {
  if (ttl === undefined || ttl === null) return null;
  const { Unit, Value } = ttl as { Unit?: unknown; Value?: unknown };
  const unit = unitMs[Unit as keyof typeof unitMs];
  if (unit === undefined || !Number.isInteger(Value) || (Value as number) < 1)
    throw invalid(
      `TtlDuration needs a Unit (${Object.keys(unitMs).join(", ")}) and a Value of 1 or more, ` +
        `received ${JSON.stringify(ttl)}`,
    );
  return eventTimeMs + unit * (Value as number);
}
