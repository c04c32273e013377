import type { FeatureValue } from "@aws-sdk/client-sagemaker-featurestore-runtime";
import type { SensorFeatures } from "../../domain/api.ts";
import { EVENT_TIME_FEATURE, features, RECORD_IDENTIFIER_FEATURE } from "../../domain/features.ts";

const numeric = new Set(features.filter(({ type }) => type !== "String").map(({ name }) => name));

/** A record of the feature store in the form of the API: numbers as numbers, without the identifier and event time. */
export function toFeatures(sensorId: string, record: readonly FeatureValue[]): SensorFeatures {
  const values = record.flatMap(({ FeatureName: name, ValueAsString: value }): [string, string][] =>
    name === undefined || value === undefined ? [] : [[name, value]],
  );
  const eventTime = values.find(([name]) => name === EVENT_TIME_FEATURE)?.[1] ?? "";
  return {
    sensorId,
    // Epoch seconds with six digits.
    eventTime: Math.round(Number(eventTime) * 1e6) / 1e3,
    features: Object.fromEntries(
      values
        .filter(([name]) => name !== EVENT_TIME_FEATURE && name !== RECORD_IDENTIFIER_FEATURE)
        .map(([name, value]) => [name, numeric.has(name) ? Number(value) : value]),
    ),
  };
}
