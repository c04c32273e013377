import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { OfflineStore } from "../../../local/features/offline-store.ts";
import type { FeatureGroup } from "../../../local/features/records.ts";

const group: FeatureGroup = {
  name: "a-group",
  recordIdentifier: "sensor",
  eventTime: "event_time",
  features: [
    { name: "sensor", type: "String", doc: "" },
    { name: "event_time", type: "Fractional", doc: "" },
    { name: "count", type: "Integral", doc: "" },
  ],
};
const NOW = Date.parse("2026-07-11T10:00:00.123Z");
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-offline-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const record = (sensor: string, time: string, count?: string): { FeatureName: string; ValueAsString: string }[] => [
  { FeatureName: "sensor", ValueAsString: sensor },
  { FeatureName: "event_time", ValueAsString: time },
  ...(count === undefined ? [] : [{ FeatureName: "count", ValueAsString: count }]),
];
const all = 'SELECT * FROM "sagemaker_featurestore"."a_group" ORDER BY rowid';

test("every record is appended, also an older one, with the columns that the service adds", () => {
  const store = new OfflineStore(folder, [group]);
  store.append("a-group", record("s1", "1783764001.000001", "7"), NOW, false);
  store.append("a-group", record("s1", "1783764000.5"), NOW + 1_000, false);
  store.append("a-group", record("s1", "1783764002"), NOW + 2_000, true);
  expect(store.query(all, 100)).toEqual({
    columns: ["sensor", "event_time", "count", "write_time", "api_invocation_time", "is_deleted"],
    rows: [
      ["s1", "1783764001.000001", "7", "2026-07-11 10:00:00.123", "2026-07-11 10:00:00.123", "false"],
      ["s1", "1783764000.5", null, "2026-07-11 10:00:01.123", "2026-07-11 10:00:01.123", "false"],
      ["s1", "1783764002", null, "2026-07-11 10:00:02.123", "2026-07-11 10:00:02.123", "true"],
    ],
  });
  expect(
    store.query('SELECT max("event_time") FROM "sagemaker_featurestore"."a_group" WHERE NOT is_deleted', 1).rows,
  ).toEqual([["1783764001.000001"]]);
  store.close();
});

test("a store that is opened again has its records, and the columns that a group has got meanwhile", () => {
  const before = new OfflineStore(folder, [group]);
  before.append("a-group", record("s1", "1", "7"), NOW, false);
  before.close();
  const features = [...group.features, { name: "rms", type: "Fractional", doc: "" }] as const;
  const after = new OfflineStore(folder, [{ ...group, features }]);
  after.append("a-group", [...record("s2", "2"), { FeatureName: "rms", ValueAsString: "0.5" }], NOW, false);
  expect(after.query('SELECT sensor, "count", rms FROM "sagemaker_featurestore"."a_group"', 100).rows).toEqual([
    ["s1", "7", null],
    ["s2", null, "0.5"],
  ]);
  after.close();
});

test("the newest records of a group are kept, and no more than a thousand beyond the bound", () => {
  const store = new OfflineStore(folder, [group], 50);
  for (let i = 1; i <= 2_010; i++) store.append("a-group", record("s1", String(i)), NOW, false);
  const count = 'SELECT count(*), min(event_time), max(event_time) FROM "sagemaker_featurestore"."a_group"';
  expect(store.query(count, 1).rows).toEqual([["60", "1951", "2010"]]);
  store.close();
});

test("nothing but a query or a deletion is run, and no query changes anything", () => {
  const store = new OfflineStore(folder, [group]);
  for (const sql of ["UPDATE a_group SET sensor = 1", "PRAGMA query_only = OFF", "ATTACH 'x' AS y"])
    expect(() => store.query(sql, 1)).toThrow("only queries");
  expect(() => store.query("WITH a AS (SELECT 1) DELETE FROM a_group", 1)).toThrow(/readonly|read-only/);
  expect(() => store.query("SELECT * FROM another_group", 1)).toThrow("no such table");
  expect(store.query("SELECT 1 UNION SELECT 2", 1).rows).toEqual([["1"]]);
  store.close();
});

test("a deletion takes away the rows that it names, by the table's name in the catalog", () => {
  const store = new OfflineStore(folder, [group]);
  for (const sensor of ["s1", "s2", "s1"]) store.append("a-group", record(sensor, "1783764000"), NOW, false);
  const deletion = `DELETE FROM "sagemaker_featurestore"."a_group" WHERE "sensor" = 's1'`;
  expect(store.query(deletion, 1)).toEqual({ columns: [], rows: [] });
  expect(store.query(all, 100).rows.map(([sensor]) => sensor)).toEqual(["s2"]);
  store.close();
});
