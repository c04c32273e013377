import { EVENT_TIME_FEATURE, type FeatureGroupSpec } from "../../domain/features.ts";

/** Identifier of the record that the check writes. No sensor or symbol can have it, as neither has a `#`. */
export const CANARY = "#millrace-check";

/** A full record of a feature group. Every value that is not the identifier or the event time is `marker`. */
export function canaryRecord(
  { recordIdentifier, features }: FeatureGroupSpec,
  eventTimeMs: number,
  marker: number,
): { FeatureName: string; ValueAsString: string }[] {
  const valueOf = (name: string, type: string): string => {
    if (name === recordIdentifier) return CANARY;
    if (name === EVENT_TIME_FEATURE) return (eventTimeMs / 1_000).toFixed(6);
    return String(type === "Integral" ? Math.trunc(marker) : marker);
  };
  return features.map(({ name, type }) => ({ FeatureName: name, ValueAsString: valueOf(name, type) }));
}

/** How the record that the online store gave back differs from `expected`, one text per feature. */
export function differences(
  expected: readonly { FeatureName: string; ValueAsString: string }[],
  received: readonly { FeatureName?: string | undefined; ValueAsString?: string | undefined }[],
): string[] {
  const values = new Map(received.map(({ FeatureName, ValueAsString }) => [FeatureName, ValueAsString]));
  return expected
    .filter(({ FeatureName, ValueAsString }) => values.get(FeatureName) !== ValueAsString)
    .map(
      ({ FeatureName, ValueAsString }) =>
        `${FeatureName} is ${values.get(FeatureName) ?? "absent"}, expected ${ValueAsString}`,
    );
}
