import type { FeatureValue } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import { EVENT_TIME_FEATURE, type FeatureGroupSpec } from "../../domain/features.ts";

/** A record of the feature store in the form of the API. */
export interface Features {
  /** Epoch ms. */
  readonly eventTime: number;
  /** By name; numbers as numbers, without the identifier and the event time. */
  readonly features: Record<string, string | number>;
}

/** A record of a feature group in the form of the API. */
export function toFeatures(
  { recordIdentifier, features }: FeatureGroupSpec,
  record: readonly FeatureValue[],
): Features {
  const numeric = new Set(features.filter(({ type }) => type !== "String").map(({ name }) => name));
  const values = record.flatMap(({ FeatureName: name, ValueAsString: value }): [string, string][] =>
    name === undefined || value === undefined ? [] : [[name, value]],
  );
  const eventTime = values.find(([name]) => name === EVENT_TIME_FEATURE)?.[1] ?? "";
  return {
    // Epoch seconds with six digits.
    eventTime: Math.round(Number(eventTime) * 1e6) / 1e3,
    features: Object.fromEntries(
      values
        .filter(([name]) => name !== EVENT_TIME_FEATURE && name !== recordIdentifier)
        .map(([name, value]) => [name, numeric.has(name) ? Number(value) : value]),
    ),
  };
}
