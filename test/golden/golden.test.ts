import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "@jest/globals";
import { defaultSemantics } from "../../domain/semantics.ts";
import { SNAPSHOT_LAYOUT } from "../../processor/engine/segments.ts";
import { marketPipeline } from "../../processor/pipelines/market/market-pipeline.ts";
import { sensorPipeline } from "../../processor/pipelines/sensor/sensor-pipeline.ts";
import { KEYED_LAYOUT, TASK_LAYOUT } from "../../processor/runtime/partition-state.ts";
import type { Pipeline } from "../../processor/runtime/pipeline.ts";
import { read, write, type Decoded, type Golden } from "./code.ts";

const root = join(import.meta.dirname, "..", "..");
/** Releases that have golden files, the oldest first. */
const releases = readdirSync(import.meta.dirname, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
  .sort((a, b) => a.localeCompare(b, "en", { numeric: true }));

function fileOf(release: string, name: string): Buffer {
  return readFileSync(join(import.meta.dirname, release, name));
}

function jsonOf(release: string, name: string): unknown {
  return JSON.parse(fileOf(release, name).toString("utf8"));
}

const folder = mkdtempSync(join(tmpdir(), "millrace-golden-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The code of a release, as it was bundled then. */
async function codeOf(release: string): Promise<{ read(golden: Golden): Promise<Decoded> }> {
  const file = join(folder, `${release}.mjs`);
  writeFileSync(file, gunzipSync(fileOf(release, "code.mjs.gz")));
  return (await import(pathToFileURL(file).href)) as { read(golden: Golden): Promise<Decoded> };
}

describe.each(releases)("what %s wrote", (release) => {
  // Fields that this version adds are no difference.
  test("this version reads, and continues from its snapshots", async () => {
    const decoded = await read(jsonOf(release, "golden.json") as Golden);
    expect(decoded).toMatchObject(jsonOf(release, "decoded.json") as Decoded);
  });
});

test("the last release reads what this version writes, and continues from its snapshots", async () => {
  const golden = await write();
  const before = await codeOf(releases.at(-1)!);
  // Fields that the last release does not know it leaves out.
  expect(await read(golden)).toMatchObject(await before.read(golden));
});

test("what 0.1.0 wrote says what its inputs make of it", async () => {
  const { records, tasks } = await read(jsonOf("0.1.0", "golden.json") as Golden);
  const windows = (of: Decoded["records"]): unknown[] =>
    of
      .filter(({ topic, key }) => topic === "sensor-data-aggregated" && key === "s1")
      .map(({ value }) => value as { count: number; channels: { ax: { mean: number } } })
      .map(({ count, channels }) => [count, channels.ax.mean]);
  // Message n has five readings of n, half a second each: a second has those of two messages.
  const [beforeSnapshot, behind] = [windows(records), windows(tasks[0]!.outputs)];
  expect(beforeSnapshot).toEqual([
    [10, 0.5],
    [10, 2.5],
  ]);
  // Message 4 was in the snapshot's window, and message 6 waited there for 5. Then windows are two seconds long.
  expect(behind.slice(0, 3)).toEqual([
    [10, 4.5],
    [10, 6.5],
    [5, 8],
  ]);
  const progress = records.find(({ key }) => key === "sensor/imu-data-all/0")!.value;
  expect(progress).toMatchObject({ nextOffset: 11, version: "0.1.0", controls: { settings: 1 } });
  const [bar] = tasks[1]!.outputs.filter(({ topic }) => topic === "market-aggregated");
  // Four for 5 dollars, and one for 4 euros of 1.25 dollars.
  expect(bar?.value).toMatchObject({ count: 2, open: 5, close: 4, volume: 5, notional: { sum: 25 } });
});

test("each release of the changelog has its files", () => {
  const changelog = readFileSync(join(root, "CHANGELOG.md"), "utf8");
  const released = [...changelog.matchAll(/^## \[?(\d+\.\d+\.\d+)/gm)].map(([, version]) => version!);
  expect(releases).toEqual(expect.arrayContaining(released));
});

test("the page of versions has every layout of the state", () => {
  const layouts = ([sensorPipeline(), marketPipeline()] as Pipeline[]).flatMap((pipeline) => {
    const opened = pipeline.open();
    const { operators } = opened.build(defaultSemantics);
    return [...operators, ...opened.kept.map(({ codec }) => codec)].map(({ name, layout }) => [name, layout] as const);
  });
  const expected = new Map([["snapshot", SNAPSHOT_LAYOUT], ["task", TASK_LAYOUT], ["key", KEYED_LAYOUT], ...layouts]);
  const page = readFileSync(join(root, "docs", "versions.md"), "utf8");
  const documented = [...page.matchAll(/^\| `([^`]+)` \| (\d+) \|/gm)].map(
    ([, name, layout]) => [name!, Number(layout)] as const,
  );
  expect(new Map(documented)).toEqual(expected);
});
