import { EVENT_TIME_FEATURE, features, RECORD_IDENTIFIER_FEATURE } from "../../domain/features.ts";

/** Identifier of the record that the check writes: no sensor can have it (a sensor's id holds no `#`). */
export const CANARY = "#millrace-check";

/** A full record of the feature group, every number being `marker`. */
export function canaryRecord(eventTimeMs: number, marker: number): { FeatureName: string; ValueAsString: string }[] {
  return features.map(({ name, type }) => ({
    FeatureName: name,
    ValueAsString:
      name === RECORD_IDENTIFIER_FEATURE
        ? CANARY
        : name === EVENT_TIME_FEATURE
          ? new Date(eventTimeMs).toISOString()
          : type === "String"
            ? String(marker)
            : type === "Integral"
              ? String(Math.trunc(marker))
              : String(marker),
  }));
}

/** What is wrong with what the online store gave back for `expected`; empty when nothing is. */
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
