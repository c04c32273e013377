import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { openLake } from "../../../../local/lake/open.ts";
import { command, outputsOf, rowsOf, smallLog, writeRows, type Ended, type TableRow } from "./small-lake.ts";

/** Where windows of one and of two seconds begin. */
const START = 1_657_533_978_000;
const log = smallLog(START);

let folder: string;
/** What the live processor gave for the log, as rows. */
let outputs: TableRow[];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-backfill-"));
  outputs = rowsOf(outputsOf(log, folder), START);
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

function node(name: string, ...args: string[]): Ended {
  return command(name, args, folder);
}

/** Writes a lake of the log and of these rows. */
function writeLake(name: string, rows: readonly TableRow[]): Promise<string> {
  return writeRows(join(folder, name), [...rowsOf(log, START), ...rows]);
}

interface Result {
  readonly status: number | null;
  readonly stderr: string;
  readonly partitions: unknown;
  /** The lines of the tables, by table. */
  readonly of: Readonly<Record<string, Record<string, unknown>>>;
}

function backfill(dir: string, run: string, ...args: string[]): Result {
  const { status, stdout, stderr } = node("backfill", "--from-lake", dir, "--run", run, "--out", "runs", ...args);
  const [head, ...lines] = stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const of = Object.fromEntries(lines.map((line) => [line["table"] as string, line]));
  return { status, stderr, partitions: head?.["partitions"], of };
}

const isWindowAt =
  (offset: number) =>
  ({ table, row }: TableRow): boolean =>
    table === "aggregated" && (row["id"] as string).startsWith(`imu-data-all/0/${offset}/`);
const idAt = (offset: number): string => outputs.find(isWindowAt(offset))!.row["id"] as string;

// A window is out when a reading is 500 ms behind its end: those of the log's first three seconds, by the readings at
// 1.5, 2.5 and 3.5 seconds, which have the offsets 15, 25 and 35.
const TO_NEWEST_OUTPUT = [{ partition: 0, first: 0, last: 35, endsAt: "the live lake's newest output" }];

test("with the settings of the live processor all is the same, and the run is a lake of its own", async () => {
  const { status, partitions, of } = backfill(await writeLake("equal", outputs), "equal");
  expect(status).toBe(0);
  expect(partitions).toEqual(TO_NEWEST_OUTPUT);
  expect(of["aggregated"]).toMatchObject({ same: 3, changed: 0, missing: 0, added: 0 });
  expect(of["sessions"]).toMatchObject({ same: 1, changed: 0, missing: 0, added: 0 });
  const lake = await openLake(join(folder, "runs", "equal"));
  const found = await lake.runAndReadAll("SELECT window_start, count FROM aggregated_exact ORDER BY window_start");
  lake.closeSync();
  expect(found.getRows().map((row) => row.map(Number))).toEqual([0, 1, 2].map((n) => [START + n * 1_000, 10]));
  const about = JSON.parse(readFileSync(join(folder, "runs", "equal", "backfill-run.json"), "utf8")) as object;
  expect(about).toMatchObject({ complete: true, run: "equal", log: "imu-data-all", records: 40 });
  expect(about).toMatchObject({ compared: { same: 4, changed: 0, missing: 0, added: 0 } });
}, 60_000);

test("windows of two seconds are told apart by hand: one instead of three", async () => {
  const { status, of } = backfill(await writeLake("windows", outputs), "windows", "--window", "2000");
  expect(status).toBe(3);
  // The first window of two seconds is out where the second one of one second was; both end at the same time.
  expect(of["aggregated"]).toMatchObject({
    same: 0,
    changed: 1,
    missing: 2,
    added: 0,
    changedColumns: { operator: 1, window_start: 1, count: 1 },
    examples: {
      changed: [
        {
          id: idAt(25),
          columns: {
            operator: { live: "tumbling-1000", run: "tumbling-2000" },
            window_start: { live: START + 1_000, run: START },
            count: { live: 10, run: 20 },
          },
        },
      ],
      missing: [idAt(15), idAt(35)],
    },
  });
}, 60_000);

test("a row that the live table lacks is added, and one with another value is changed in that column", async () => {
  const lacking = await writeLake(
    "lacking",
    outputs.filter((output) => !isWindowAt(15)(output)),
  );
  const lost = backfill(lacking, "lacking");
  expect(lost.status).toBe(3);
  expect(lost.of["aggregated"]).toMatchObject({ same: 2, changed: 0, missing: 0, added: 1 });
  expect(lost.of["aggregated"]).toMatchObject({ examples: { added: [idAt(15)] } });
  const corrupt = outputs.map((output) =>
    isWindowAt(25)(output) ? { ...output, row: { ...output.row, count: 11 } } : output,
  );
  const { status, of } = backfill(await writeLake("corrupt", corrupt), "corrupt");
  expect(status).toBe(3);
  expect(of["aggregated"]).toMatchObject({
    same: 2,
    changed: 1,
    changedColumns: { count: 1 },
    examples: { changed: [{ id: idAt(25), columns: { count: { live: 11, run: 10 } } }] },
  });
}, 60_000);

test("what one side can't have yet is left out, and the reason is told", async () => {
  const ofOtherLog = outputs.filter(isWindowAt(15)).map(({ table, row }) => {
    return { table, row: { ...row, id: (row["id"] as string).replace("imu-data-all", "imu-data-all~2") } };
  });
  const dir = await writeLake("short", [...outputs.filter((output) => !isWindowAt(35)(output)), ...ofOtherLog]);
  const { status, partitions, of } = backfill(dir, "short");
  expect(status).toBe(0);
  expect(partitions).toEqual([{ partition: 0, first: 0, last: 25, endsAt: "the live lake's newest output" }]);
  expect(of["aggregated"]).toMatchObject({
    same: 2,
    leftOut: { live: { otherLog: 1, behind: 0 }, run: { otherLog: 0, behind: 1 } },
  });
  const cut = backfill(dir, "cut", "--until", String(START + 2_000));
  expect(cut.status).toBe(0);
  expect(cut.partitions).toEqual([{ partition: 0, first: 0, last: 19, endsAt: "--until" }]);
  expect(cut.of["aggregated"]).toMatchObject({ same: 1, leftOut: { live: { behind: 1 }, run: { behind: 2 } } });
}, 60_000);

test("where nothing can be compared, the exit code is that of an error", async () => {
  const dir = await writeLake("raw-alone", []);
  const { status, stderr } = backfill(dir, "raw-alone");
  expect(status).toBe(1);
  expect(stderr).toContain("backfill-refused: no output could be compared");
  expect(backfill(dir, "elsewhere", "--partition", "4,7")).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("the lake has no record of imu-data-all in the partitions 4, 7"),
  });
}, 60_000);

test("a run of the same name is replaced with --again alone, and no other folder ever is", async () => {
  const dir = await writeLake("names", outputs);
  // A run that was interrupted.
  mkdirSync(join(folder, "runs", "names"), { recursive: true });
  writeFileSync(join(folder, "runs", "names", "backfill-run.json"), '{"complete": false}');
  writeFileSync(join(folder, "runs", "names", "aggregated.rows.ndjson"), "half a ro");
  expect(backfill(dir, "names")).toMatchObject({ status: 1, stderr: expect.stringContaining("has a run already") });
  expect(backfill(dir, "names", "--again").of["aggregated"]).toMatchObject({ same: 3 });
  expect(existsSync(join(folder, "runs", "names", "aggregated.rows.ndjson"))).toBe(false);
  mkdirSync(join(folder, "runs", "mine"));
  writeFileSync(join(folder, "runs", "mine", "letter.txt"), "dear");
  expect(backfill(dir, "mine", "--again").stderr).toContain("is no folder of a run");
  expect(readFileSync(join(folder, "runs", "mine", "letter.txt"), "utf8")).toBe("dear");
}, 60_000);

test("every problem of the command line is told at once", () => {
  const { status, stderr } = node("backfill", "--run", "No/Name", "--partition", "x", "--window", "0");
  expect(status).toBe(1);
  expect(stderr).toContain('--run is "No/Name"');
  expect(stderr).toContain('--partition is "x"');
  expect(stderr).toContain('--window is "0"');
  expect(stderr).toContain("--from-lake is missing");
}, 60_000);

test("a command takes its own options alone, and no run is called live", () => {
  const { stderr } = node("backfill", "switch", "more", "--window", "2000");
  expect(stderr).toContain("switch takes no --window");
  expect(stderr).toContain("switch takes no arguments; received 1");
  expect(stderr).toContain("--run is missing");
  expect(node("backfill", "--from-lake", ".", "--run", "live", "--fill", "--partition", "1").stderr).toMatch(
    /--run is live: .*\n--fill takes no --partition/,
  );
}, 60_000);
