import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { ActivityStretch } from "../../domain/api.ts";
import type { InferenceRecord } from "../../domain/records.ts";
import { findActivity } from "../../lambda/read-sensors/activity.ts";
import type { WindowsDocument } from "../../lambda/shared/documents.ts";
import { inferenceUpdates } from "../../lambda/store-windows/inference-updates.ts";
import { inferred } from "./records.ts";

const HOUR = 3_600_000;
const T0 = 1_657_533_600_000;
const KEPT = { windowsMs: 24 * HOUR, sensorsMs: 24 * HOUR };
const HOP = 250;

/** The documents of an empty store after these records, and the hours of the sensor. */
function stored(records: readonly InferenceRecord[]): {
  documents: Map<string, WindowsDocument>;
  hours: Record<string, Record<string, Date>>;
  lastSeen: number;
} {
  const { windows, sensors } = inferenceUpdates(
    records.map((inference) => ({ inference, timestamp: T0 })),
    KEPT,
  );
  const fieldsOf = (update: object): [string, unknown][] =>
    Object.values(update).flatMap((fields) => Object.entries(fields as object) as [string, unknown][]);
  const documents = new Map(
    windows.map(({ filter: { _id }, update }) => [
      _id,
      {
        _id,
        windows: Object.fromEntries(
          fieldsOf(update).flatMap(([path, text]) =>
            path.startsWith("windows.") ? [[path.slice("windows.".length), text as string]] : [],
          ),
        ),
        expireAt: new Date(T0 + KEPT.windowsMs),
      },
    ]),
  );
  const hours: Record<string, Record<string, Date>> = {};
  for (const { update } of sensors)
    for (const [path, value] of fieldsOf(update)) {
      const [field, name, hour] = path.split(".") as [string, string, string];
      if (field === "hours") (hours[name] ??= {})[hour] = value as Date;
    }
  return { documents, hours, lastSeen: Math.max(...records.map(({ window }) => window.start)) };
}

async function pages(
  records: readonly InferenceRecord[],
  query: { from?: number; to?: number },
  limit: number,
): Promise<ActivityStretch[]> {
  const { documents, hours, lastSeen } = stored(records);
  const found: ActivityStretch[] = [];
  let before: number | undefined;
  for (let page = 0; page < 1_000; page++) {
    const { stretches, next } = await findActivity(
      { _id: "s", hours, lastSeen },
      { ...query, before },
      { limit, nowMs: T0 },
      async (ids) => ids.flatMap((id) => documents.get(id) ?? []),
    );
    expect(stretches.length).toBeLessThanOrEqual(limit);
    found.push(...stretches);
    if (next === null) return found;
    before = next;
  }
  throw new Error("the pages do not end");
}
const at = (hop: number, label: string | null, options: Parameters<typeof inferred>[2] = {}): InferenceRecord =>
  inferred("s", T0 + hop * HOP, { label, ...options }) as never;

test("inferences of one label that follow one another are one stretch, with mean probabilities", async () => {
  const records = [
    at(0, "WALKING", { probabilities: { WALKING: 0.5, SITTING: 0.5 } }),
    at(1, "WALKING", { probabilities: { WALKING: 1, SITTING: 0 } }),
    at(2, "SITTING", { probabilities: { WALKING: 0.25, SITTING: 0.75 } }),
    at(3, null),
    // One is missing, and then another model says the same.
    at(5, "SITTING"),
    at(6, "SITTING", { version: "4" }),
  ];
  const summary = (await pages(records, {}, 10)).map(({ start, end, label, inferences, model }) => [
    (start - T0) / HOP,
    (end - T0) / HOP,
    label,
    inferences,
    model,
  ]);
  expect(summary).toEqual([
    [6, 7, "SITTING", 1, "activity 4"],
    [5, 6, "SITTING", 1, "activity 3"],
    [3, 4, null, 1, "activity 3"],
    [2, 3, "SITTING", 1, "activity 3"],
    [0, 2, "WALKING", 2, "activity 3"],
  ]);
  const [walking] = (await pages(records, {}, 10)).slice(-1);
  expect(walking!.probabilities).toEqual({ WALKING: 0.75, SITTING: 0.25 });
  expect((await pages(records, {}, 10))[2]!.probabilities).toBeNull();
  // [2 hops, 3 hops) overlaps one alone.
  expect(await pages(records, { from: T0 + 2 * HOP, to: T0 + 3 * HOP }, 10)).toMatchObject([
    { label: "SITTING", inferences: 1 },
  ]);
});

test("of two inferences for one time the last in the log stays, also of a later generation", async () => {
  const earlier = at(0, "WALKING", { id: "imu-data-all/3/900/0" });
  const later = at(0, "SITTING", { id: "imu-data-all~2/3/7/0" });
  const last = at(0, "STANDING", { id: "imu-data-all~2/3/7/1" });
  for (const order of [
    [earlier, later, last],
    [last, later, earlier],
  ])
    expect((await pages(order, {}, 10)).map(({ label }) => label)).toEqual(["STANDING"]);
});

test("pages of any length have the same stretches, over minutes and hours", async () => {
  const inference = fc.record({
    hop: fc.oneof(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 300_000 })),
    label: fc.constantFrom("WALKING", "SITTING", null),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(inference, { maxLength: 60, selector: ({ hop }) => hop }),
      fc.integer({ min: 1, max: 5 }),
      async (hops, limit) => {
        const sorted = hops.toSorted((a, b) => b.hop - a.hop);
        // Runs of hops without a hole and with one label, by hand.
        const expected: [number, number, string | null][] = [];
        for (const { hop, label } of sorted) {
          const last = expected.at(-1);
          if (last && last[0] === hop + 1 && last[2] === label) last[0] = hop;
          else expected.push([hop, hop + 1, label]);
        }
        const found = await pages(
          hops.map(({ hop, label }) => at(hop, label)),
          {},
          limit,
        );
        expect(found.map(({ start, end, label }) => [(start - T0) / HOP, (end - T0) / HOP, label])).toEqual(expected);
      },
    ),
    { numRuns: 150 },
  );
});
