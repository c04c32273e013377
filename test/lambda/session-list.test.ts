import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { SessionRecord } from "../../domain/records.ts";
import {
  findSessions,
  listIds,
  reachOf,
  sensorsBefore,
  type SessionQuery,
} from "../../lambda/read-sessions/session-list.ts";
import { encodeCursor } from "../../lambda/shared/cursor.ts";
import { sessionUpdates } from "../../lambda/store-sessions/session-updates.ts";
import { ended, started } from "./records.ts";

const DAY = 86_400_000;
const T0 = 1_657_533_977_813;

/** Documents as the updates of one event leave them in an empty store. */
function documentsOf<D>(
  updates: readonly { filter: { _id: string }; update: Record<string, unknown> }[],
): Map<string, D> {
  return new Map(
    updates.map(({ filter, update }) => {
      const document: Record<string, unknown> = { _id: filter._id };
      for (const [operator, fields] of Object.entries(update))
        for (const [path, value] of Object.entries(fields as Record<string, unknown>)) {
          const [field, name] = path.split(".") as [string, string | undefined];
          const written = operator === "$addToSet" ? (value as { $each: unknown }).$each : value;
          if (name === undefined) document[field] = written;
          else document[field] = { ...(document[field] as object), [name]: written };
        }
      return [filter._id, document as D];
    }),
  );
}

interface Told {
  readonly sensorId: string;
  readonly start: number;
  readonly end: number | null;
  readonly hidden: boolean;
}

/** Sessions of up to four sensors. They do not overlap, and only the last of a sensor may be open. */
const sessions = fc
  .array(
    fc.record({
      steps: fc.array(
        fc.record({
          gap: fc.oneof(fc.integer({ min: 1, max: 100_000 }), fc.integer({ min: 1, max: 3 * DAY })),
          length: fc.oneof(fc.integer({ min: 0, max: 100_000 }), fc.integer({ min: 0, max: 2 * DAY })),
          hidden: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
        }),
        { minLength: 1, maxLength: 12 },
      ),
      open: fc.boolean(),
    }),
    { minLength: 1, maxLength: 4 },
  )
  .map((sensors) =>
    sensors.flatMap(({ steps, open }, sensor): Told[] => {
      let time = T0;
      return steps.map(({ gap, length, hidden }, i) => {
        const start = time + gap;
        time = start + length;
        const isOpen = open && i === steps.length - 1;
        return { sensorId: `s${sensor}`, start, end: isOpen ? null : time, hidden: hidden && i > 0 };
      });
    }),
  );

function recordsOf(all: readonly Told[]): SessionRecord[] {
  return all.map(({ sensorId, start, end }) => {
    const supersedes = all
      .filter((other) => other.hidden && other.sensorId === sensorId)
      .map((other) => `${sensorId}@${other.start}`);
    const isFirst = all.find((other) => other.sensorId === sensorId)!.start === start;
    const options = isFirst ? { supersedes } : {};
    return (
      end === null ? started(sensorId, start, options) : ended(sensorId, start, end, 5, options)
    ) as SessionRecord;
  });
}

test("pages have exactly the sessions of the query, newest first", async () => {
  const offset = fc.option(fc.integer({ min: -DAY, max: 30 * DAY }), { nil: undefined });
  await fc.assert(
    fc.asyncProperty(
      sessions,
      fc.record({
        sensorId: fc.option(fc.constantFrom("s0", "s1"), { nil: undefined }),
        status: fc.option(fc.constantFrom("open" as const, "ended" as const), { nil: undefined }),
        from: offset,
        length: offset,
        limit: fc.integer({ min: 1, max: 5 }),
      }),
      async (all, { sensorId, status, from: fromOffset, length, limit }) => {
        const from = fromOffset === undefined ? undefined : T0 + fromOffset;
        const to = length === undefined ? undefined : (from ?? T0) + Math.max(1, length);
        const expected = all
          .filter((session) => !session.hidden && (sensorId === undefined || session.sensorId === sensorId))
          .filter(({ end }) => status === undefined || (status === "open") === (end === null))
          .filter(({ start }) => to === undefined || start < to)
          .filter(({ end }) => from === undefined || end === null || end >= from)
          .map(({ sensorId: sensor, start }) => ({ id: `${sensor}@${start}`, start }))
          .sort((a, b) => b.start - a.start || (a.id < b.id ? 1 : -1))
          .map(({ id }) => id);
        const stamped = recordsOf(all).map((session) => ({ session, timestamp: T0 }));
        const updates = sessionUpdates(stamped, DAY);
        const byId = documentsOf<never>(updates.sessions);
        const lists = documentsOf<never>(sensorId === undefined ? updates.sessionTimes : updates.sessionDays);
        const read = async (documents: Map<string, never>, ids: readonly string[]): Promise<never[]> =>
          ids.flatMap((id) => documents.get(id) ?? []);
        const days = new Set(all.map(({ start }) => Math.floor(start / DAY) * DAY));
        const query: SessionQuery = { sensorId, status, from, to };
        const found: string[] = [];
        let cursor: string | undefined;
        for (let pages = 0; pages < 1_000; pages++) {
          const reach = reachOf(query);
          const before =
            reach === undefined
              ? null
              : sensorId !== undefined
                ? new Set([sensorId])
                : sensorsBefore(reach, documentsOf<never>(updates.sensors).values());
          const page = await findSessions({ ...query, cursor }, listIds(query, days), before, limit, {
            lists: (ids) => read(lists, ids),
            sessions: (ids) => read(byId, ids),
          });
          expect(page.sessions.length).toBeLessThanOrEqual(limit);
          found.push(...page.sessions.map(({ sessionId }) => sessionId));
          if (page.next === null) break;
          cursor = encodeCursor(page.next, ["sessions", sensorId, from, to, status]);
        }
        expect(found).toEqual(expected);
      },
    ),
    { numRuns: 300 },
  );
});
