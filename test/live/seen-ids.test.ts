import { expect, test } from "@jest/globals";
import { REMEMBERED_SOURCES, SeenIds } from "../../live/seen-ids.ts";

test("an id is new if it is beyond all earlier ids of its topic and source partition", () => {
  const seenIds = new SeenIds();
  const seen = (id: string, topic = "sensor-data-aggregated"): boolean => seenIds.isNew(topic, id);
  expect(seen("imu-data-all/3/10/0")).toBe(true);
  expect(seen("imu-data-all/3/10/1")).toBe(true);
  expect(seen("imu-data-all/3/12/0")).toBe(true);
  // An aborted transaction is repeated, then continues.
  expect(
    [
      "imu-data-all/3/10/0",
      "imu-data-all/3/10/1",
      "imu-data-all/3/12/0",
      "imu-data-all/3/12/1",
      "imu-data-all/3/13/0",
    ].map((id) => seen(id)),
  ).toEqual([false, false, false, true, true]);
  // Numbers, not text: 9 comes before 13.
  expect(seen("imu-data-all/3/9/0")).toBe(false);
  expect(seen("imu-data-all/4/1/0")).toBe(true);
  expect(seen("imu-data-all/3/1/0", "new-session-topic")).toBe(true);
});

test("an id of another form is always new", () => {
  const seenIds = new SeenIds();
  expect(["x", "x", "a/b/c/d", "a/b/c/d", ""].map((id) => seenIds.isNew("t", id))).toEqual([
    true,
    true,
    true,
    true,
    true,
  ]);
});

test("the source that was longest without a record is let go when there are too many", () => {
  const seen = new SeenIds();
  for (let i = 0; i < REMEMBERED_SOURCES; i++) expect(seen.isNew("t", `foreign-${i}/0/0/0`)).toBe(true);
  expect(seen.isNew("t", "foreign-0/0/1/0")).toBe(true);
  expect(seen.isNew("t", "one-more/0/0/0")).toBe(true);
  expect(seen.isNew("t", "foreign-0/0/1/0")).toBe(false);
  expect(seen.isNew("t", "foreign-1/0/0/0")).toBe(true);
});
