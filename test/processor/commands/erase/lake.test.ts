import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { defaultSemantics, type Semantics } from "../../../../domain/semantics.ts";
import { type TableName, tables } from "../../../../domain/tables.ts";
import { recordsOf } from "../../../../lambda/shared/kafka-event.ts";
import { reachAt } from "../../../../lambda/write-lake/partition.ts";
import { lakeTables } from "../../../../lambda/write-lake/rows.ts";
import { ParquetWriter } from "../../../../local/firehose/parquet.ts";
import { openLake } from "../../../../local/lake/open.ts";
import { lakePlace, type LakePlace } from "../../../../processor/adapters/lake-place.ts";
import { sensorMachineFactory } from "../../../../processor/adapters/machine-factory.ts";
import { eventTimesOf } from "../../../../processor/commands/erase/event-times.ts";
import { eraseFromLake, RecordSearch } from "../../../../processor/commands/erase/lake.ts";
import { replayLake } from "../../../../processor/commands/replay/replay-lake.ts";
import type { OutputRecord } from "../../../../processor/runtime/machine.ts";
import { mskEvent } from "../../../lambda/events.ts";
import { S3StandIn } from "../../../support/s3-standin.ts";

const START = 1_657_533_977_813;
/** Its name is a part of another sensor's, whose rows stay. */
const GONE = "gone-7";
const OTHERS = ["gone-77", "a-sensor", "z"];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-erase-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Source {
  readonly topic: string;
  readonly offset: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Messages of all sensors every 100 ms, ticks, an `erase` record, and one message that fits no row of Firehose. */
function log(): Source[] {
  const sources: Source[] = [];
  const add = (source: Omit<Source, "topic" | "offset">): void =>
    void sources.push({ topic: "imu-data-all", offset: sources.length, ...source });
  for (let n = 0; n < 40; n++) {
    for (const key of [GONE, ...OTHERS]) {
      // The erased one is ahead of all others: with one watermark per partition it is the one that moves it.
      const t = START + n * 100 + (key === GONE ? 700 : 0);
      add({ key, value: JSON.stringify({ seq: n, boot: "b", t: [t], samples: [[n, 0, 9.8, 0, 0, 0]] }) });
    }
    add({ key: null, value: null, headers: { type: "tick" } });
  }
  for (const key of [GONE, "z"]) add({ key, value: "x".repeat(1_000_000) });
  add({ key: null, value: null, headers: { type: "erase", change: "e1", erase: GONE } });
  return sources;
}

async function writeLake(dir: string, sources: readonly Source[]): Promise<void> {
  const writer = await ParquetWriter.create();
  const byFolder = new Map<string, { table: TableName; rows: string[] }>();
  for (const { topic, offset, key, value, headers = {} } of sources) {
    const at = { topic, partition: 0, offset, timestamp: START + offset * 25 };
    const event = mskEvent([
      { ...at, ...(key === null ? {} : { key }), ...(value === null ? {} : { value: Buffer.from(value) }) },
    ]);
    event.records[`${topic}-0`]![0]!.headers = Object.entries(headers).map(([name, text]) => ({
      [name]: [...Buffer.from(text)],
    })) as never;
    const { table, toRows } = lakeTables[topic]!;
    for (const row of toRows(recordsOf(event)[0]!, reachAt(START, 0), { sensor: 1, market: 1 })) {
      const place = join(dir, table, `dt=${row.dt}`, `hour=${row.hour}`);
      const found = byFolder.get(place) ?? { table: table as TableName, rows: [] };
      byFolder.set(place, found);
      found.rows.push(JSON.stringify(row));
    }
  }
  for (const [place, { table, rows }] of byFolder) {
    mkdirSync(place, { recursive: true });
    await writer.write(tables[table], rows, join(dir, "scratch"), join(place, "0.parquet"));
  }
  writer.close();
}

async function outputs(dir: string, semantics: Semantics): Promise<OutputRecord[]> {
  const taken: OutputRecord[] = [];
  const open = (): ReturnType<typeof sensorMachineFactory> => sensorMachineFactory(semantics);
  const take = async (some: readonly OutputRecord[]): Promise<void> => void taken.push(...some);
  await replayLake({ dir, open, first: 1, last: 1, take, warn: () => undefined }, true);
  return taken;
}

/** Every text in the lake's tables, and the bytes of its files. */
async function contents(dir: string): Promise<string> {
  const lake = await openLake(dir);
  const texts = await Promise.all(
    Object.keys(tables).map(async (table) =>
      JSON.stringify((await lake.runAndReadAll(`SELECT * FROM ${table}`)).getRowsJson()),
    ),
  );
  lake.closeSync();
  const files = readdirSync(dir, { recursive: true, encoding: "utf8" }).map((name) => join(dir, name));
  return [
    ...texts,
    ...files.filter((file) => statSync(file).isFile()).map((file) => readFileSync(file, "latin1")),
  ].join();
}

const isOther = ({ key }: OutputRecord): boolean => OTHERS.includes(Buffer.from(key ?? "").toString());
/** A name at whose end nothing of another name follows. */
const name = new RegExp(`${GONE}(?!7)`);
/** The same in base64, where the other name continues with `Nw`. */
const encoded = new RegExp(`${Buffer.from(GONE).toString("base64")}(?!Nw)`);

test.each(["sensor", "partition"] as const)(
  "no byte of an erased sensor is left, and a replay gives the others' outputs: watermark of the %s",
  async (watermark) => {
    const semantics: Semantics = { ...defaultSemantics, watermark };
    const dir = join(folder, watermark);
    await writeLake(dir, log());
    const before = await outputs(dir, semantics);
    const late = { id: "x", schema: 1, sensorId: GONE, seq: 1, operator: "window", t: [START], samples: [[1]] };
    const window = { start: START, end: START + 1 };
    const session = { id: "y", schema: 1, sensorId: GONE, sessionId: `${GONE}@1`, type: "started", start: START };
    const letter = { "error-code": "invalid-message", "error-message": "m", "source-topic": "imu-data-all" };
    await writeLake(dir, [
      { topic: "sensor-data-late", offset: 0, key: GONE, value: JSON.stringify({ ...late, window }) },
      { topic: "sensor-data-late", offset: 1, key: "z", value: JSON.stringify({ ...late, window, sensorId: "z" }) },
      { topic: "new-session-topic", offset: 0, key: GONE, value: JSON.stringify({ ...session, supersedes: [] }) },
      { topic: "dead-letter", offset: 0, key: GONE, value: "?", headers: letter },
      { topic: "dead-letter", offset: 1, key: null, value: "?", headers: { "mqtt-topic": `imu/${GONE}` } },
      { topic: "dead-letter", offset: 2, key: "z", value: "?", headers: letter },
    ]);
    expect(await contents(dir)).toMatch(name);
    expect(await contents(dir)).toMatch(encoded);
    const times =
      watermark === "partition" ? await eventTimesOf(dir, sensorMachineFactory(semantics), GONE) : new Map();
    // 40 messages, one in two rows, and the erase record.
    expect(await eraseFromLake(lakePlace(dir, "local"), { sensorId: GONE, eventTimes: times })).toEqual({
      raw: 43,
      dead_letters: 2,
      aggregated: 0,
      sessions: 1,
      inference: 0,
      late: 1,
    });
    const left = await contents(dir);
    expect(left).not.toMatch(name);
    expect(left).not.toMatch(encoded);
    const after = await outputs(dir, semantics);
    expect(after.filter((output) => !isOther(output) && output.topic !== "dead-letter")).toEqual([]);
    expect(after.filter(isOther).map(contentOf)).toEqual(before.filter(isOther).map(contentOf));
    expect(after.filter(isOther).length).toBeGreaterThan(40);
    // Once more: there is nothing left to erase.
    expect(
      Object.values(await eraseFromLake(lakePlace(dir, "local"), { sensorId: GONE, eventTimes: times })).every(
        (count) => count === 0,
      ),
    ).toBe(true);
  },
  60_000,
);

describe("a lake in S3", () => {
  const objects = new Map<string, Buffer>();
  const standIn = new S3StandIn("lake", objects);
  const place = (): LakePlace => lakePlace("s3://lake/tables", "us-east-1");
  const variables = ["AWS_ENDPOINT_URL_S3", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
  const files = (dir: string): string[] =>
    readdirSync(dir, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".parquet"));
  let dir: string;

  beforeEach(async () => {
    process.env["AWS_ENDPOINT_URL_S3"] = await standIn.listen();
    process.env["AWS_ACCESS_KEY_ID"] = "id";
    process.env["AWS_SECRET_ACCESS_KEY"] = "secret";
    standIn.writtenMs = Date.now();
    standIn.onFetched = () => undefined;
    dir = mkdtempSync(join(folder, "s3-"));
    await writeLake(dir, log());
    objects.clear();
    for (const name of files(dir)) objects.set(`tables/${name}`, readFileSync(join(dir, name)));
  });
  afterEach(async () => {
    for (const name of variables) delete process.env[name];
    await standIn.close();
  });

  test("loses a sensor as a folder does, object by object", async () => {
    const erased = await eraseFromLake(place(), { sensorId: GONE, eventTimes: new Map() });
    expect(erased).toMatchObject({ raw: 43, aggregated: 0 });
    const copy = mkdtempSync(join(folder, "copy-"));
    for (const [key, bytes] of objects) {
      mkdirSync(join(copy, dirname(key)), { recursive: true });
      writeFileSync(join(copy, key), bytes);
    }
    await eraseFromLake(lakePlace(dir, "local"), { sensorId: GONE, eventTimes: new Map() });
    expect(await contents(join(copy, "tables"))).toBe(await contents(dir));
    expect(await contents(dir)).not.toMatch(name);
    // Nothing was written since: nothing is fetched.
    standIn.fetched.length = 0;
    const since = Date.now() + 3_600_000;
    await eraseFromLake(place(), { sensorId: GONE, eventTimes: new Map(), since });
    expect(standIn.fetched).toEqual([]);
  });

  test("keeps an object that somebody else writes meanwhile, and counts none of its rows", async () => {
    const other = Buffer.from("written by somebody else");
    standIn.onFetched = (key) => objects.set(key, other);
    const erased = await eraseFromLake(place(), { sensorId: GONE, eventTimes: new Map() });
    expect(erased["raw"]).toBe(0);
    expect([...objects.values()].every((bytes) => bytes === other)).toBe(true);
  });

  test("is searched for records until all are there, each object once", async () => {
    const search = new RecordSearch(place(), ["imu-data-all/0/3", "imu-data-all/0/1000000"], Date.now());
    expect(await search.missing()).toEqual(["imu-data-all/0/1000000"]);
    const { length } = standIn.fetched;
    expect(length).toBeGreaterThan(0);
    expect(await search.missing()).toEqual(["imu-data-all/0/1000000"]);
    expect(standIn.fetched).toHaveLength(length);
  });
});

/** An output, but for the number of its id: those of the erased sensor in the same step no longer count. */
function contentOf({ topic, key, value, headers }: OutputRecord): object {
  const text = Buffer.from(value!)
    .toString("latin1")
    .replace(/("id":"[^"]*\/)\d+"/, '$1n"');
  return { topic, key, text, headers };
}
