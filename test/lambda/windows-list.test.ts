import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { WindowRecord } from "../../domain/records.ts";
import { findWindows } from "../../lambda/read-sensors/windows.ts";
import type { Position } from "../../lambda/shared/cursor.ts";
import type { WindowsDocument } from "../../lambda/shared/documents.ts";
import { windowUpdates, sensorUpdates } from "../../lambda/store-windows/window-updates.ts";
import { windowed } from "./records.ts";

const HOUR = 3_600_000;
const T0 = 1_657_533_600_000;
const KEPT = { windowsMs: 24 * HOUR, sensorsMs: 24 * HOUR };

/** What updates of one event set in documents of an empty store, by path. */
function fieldsOf(update: Readonly<Record<string, unknown>>): [path: string, value: unknown][] {
  return Object.values(update).flatMap((fields) => Object.entries(fields as object) as [string, unknown][]);
}

test("pages have exactly the windows of the query, newest first, of all operators", async () => {
  const offset = fc.option(fc.integer({ min: -HOUR, max: 30 * HOUR }), { nil: undefined });
  const window = fc.record({
    // Whole seconds; many in one minute, others hours apart. Windows of ten seconds begin at each second.
    start: fc.oneof(fc.integer({ min: 0, max: 70 }), fc.integer({ min: 0, max: 100_000 })),
    lengthMs: fc.constantFrom(1_000, 10_000),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(window, { maxLength: 60, selector: ({ start, lengthMs }) => `${start} ${lengthMs}` }),
      fc.record({ from: offset, length: offset, limit: fc.integer({ min: 1, max: 7 }) }),
      async (windows, { from: fromOffset, length, limit }) => {
        const from = fromOffset === undefined ? undefined : T0 + fromOffset;
        const to = length === undefined ? undefined : (from ?? T0) + Math.max(1, length);
        const records = windows.map(({ start, lengthMs }) =>
          windowed("s", T0 + start * 1_000, { lengthMs }),
        ) as unknown as WindowRecord[];
        const expected = records
          .filter((record) => to === undefined || record.window.start < to)
          .filter((record) => from === undefined || record.window.end > from)
          .map(({ operator, window: { start } }) => ({ operator, start }))
          .sort((a, b) => b.start - a.start || (a.operator < b.operator ? 1 : -1));
        const stamped = records.map((record) => ({ window: record, timestamp: T0 }));
        const documents = new Map<string, WindowsDocument>();
        for (const { filter, update } of windowUpdates(stamped, KEPT)) {
          const entries = fieldsOf(update).filter(([path]) => path.startsWith("windows."));
          documents.set(filter._id, {
            _id: filter._id,
            windows: Object.fromEntries(entries.map(([path, text]) => [path.slice("windows.".length), text as string])),
            expireAt: new Date(T0 + KEPT.windowsMs),
          });
        }
        const lastSeen = Math.max(...records.map((record) => record.window.start));
        const hours: Record<string, Record<string, Date>> = {};
        for (const { update } of sensorUpdates(stamped, KEPT))
          for (const [path, value] of fieldsOf(update)) {
            const [field, operator, hour] = path.split(".") as [string, string, string];
            if (field === "hours") (hours[operator] ??= {})[hour] = value as Date;
          }
        const found: { operator: string; start: number }[] = [];
        let after: Position | undefined;
        for (let pages = 0; pages < 1_000; pages++) {
          const page = await findWindows(
            { _id: "s", hours, lastSeen },
            { from, to, after },
            { limit, nowMs: T0 },
            async (ids) => ids.flatMap((id) => documents.get(id) ?? []),
          );
          expect(page.windows.length).toBeLessThanOrEqual(limit);
          found.push(...page.windows.map(({ operator, window: { start } }) => ({ operator, start })));
          if (page.next === null) break;
          after = page.next;
        }
        expect(found).toEqual(expected);
      },
    ),
    { numRuns: 200 },
  );
});

test("the first minutes of an hour take as few reads as its last ones", async () => {
  const documents = new Map<string, WindowsDocument>();
  for (let second = 0; second < 3_660; second++) {
    const record = windowed("s", T0 + second * 1_000) as unknown as WindowRecord;
    for (const { filter, update } of windowUpdates([{ window: record, timestamp: T0 }], KEPT)) {
      const [[path, text]] = fieldsOf(update).filter(([name]) => name.startsWith("windows.")) as [[string, unknown]];
      const before = documents.get(filter._id)?.windows;
      const windows = { ...before, [path.slice("windows.".length)]: text as string };
      documents.set(filter._id, { _id: filter._id, windows, expireAt: new Date(T0 + KEPT.windowsMs) });
    }
  }
  const [operator] = [...documents.keys()].map((id) => id.split("/")[1]!);
  const expiry = new Date(T0 + KEPT.windowsMs);
  const hours = { [operator!]: { [T0]: expiry, [T0 + HOUR]: expiry } };
  const asked: string[] = [];
  const sensor = { _id: "s", hours, lastSeen: T0 + 3_659_000 };
  const { windows } = await findWindows(sensor, {}, { limit: 100, nowMs: T0 }, async (ids) => {
    asked.push(...ids);
    return ids.flatMap((id) => documents.get(id) ?? []);
  });
  expect(windows.map(({ window }) => window.start)).toEqual(
    Array.from({ length: 100 }, (_, i) => T0 + (3_659 - i) * 1_000),
  );
  // A minute has 60 windows: two documents have them, and a first read has four.
  expect(asked).toHaveLength(4);
});
