import { expect, test } from "@jest/globals";
import { systemRuntime } from "../../../processor/adapters/runtime.ts";
import type { Runtime } from "../../../processor/engine/ports.ts";
import { entriesOf, EntryCollector, readSegments, SEGMENT_BYTES } from "../../../processor/engine/segments.ts";
import type { StateEntry } from "../../../processor/runtime/machine.ts";

const plain = {
  compress: (bytes: Uint8Array) => Promise.resolve(bytes),
  decompress: (bytes: Uint8Array) => Promise.resolve(bytes),
};

async function segmentsOf(
  entries: readonly StateEntry[],
  runtime: Pick<Runtime, "compress"> = plain,
): Promise<Uint8Array[]> {
  const collector = new EntryCollector();
  for (const entry of entries) collector.take(entry);
  expect(collector.entries).toBe(entries.length);
  return collector.segments(runtime);
}

async function entriesIn(
  segments: readonly Uint8Array[],
  runtime: Pick<Runtime, "decompress"> = plain,
): Promise<StateEntry[]> {
  return [...entriesOf(await readSegments("a-task", segments, runtime))];
}

test("entries of any size come back as they were, in order, through compression and segments", async () => {
  const sizes = [0, 1, 65_536, 900_000, 99_983, 5, 1_500_000, 7];
  const entries = sizes.map((size, i) => ({ key: `ключ-${i}`, value: Buffer.alloc(size, i + 1) }));
  for (const runtime of [plain, systemRuntime]) {
    const segments = await segmentsOf(entries, runtime);
    expect(Math.max(...segments.map(({ length }) => length))).toBeLessThanOrEqual(SEGMENT_BYTES);
    const read = await entriesIn(segments, runtime);
    expect(read.map(({ key, value }) => [key, value.length])).toEqual(
      entries.map(({ key, value }) => [key, value.length]),
    );
    for (const [i, { value }] of read.entries()) expect(entries[i]!.value.equals(value)).toBe(true);
  }
  expect(await segmentsOf([])).toEqual([]);
});

test("what fills a segment takes one, and a byte more takes two", async () => {
  // u32 of the chunk, two u32 of the entry, and its key.
  const around = 4 + 8 + 1;
  const counts = [0, 1].map(async (more) => {
    const value = Buffer.alloc(SEGMENT_BYTES - around + more);
    return (await segmentsOf([{ key: "k", value }])).map(({ length }) => length);
  });
  expect(await Promise.all(counts)).toEqual([[SEGMENT_BYTES], [SEGMENT_BYTES, 1]]);
});

test("segments that are cut or damaged are refused with the reason", async () => {
  const [segment] = await segmentsOf([{ key: "key", value: Buffer.from("value") }]);
  // 4 bytes for the chunk, 8 for the entry, 3 and 5 for what is in it.
  expect(segment).toHaveLength(20);
  const refusals: [Uint8Array, string][] = [
    [segment!.subarray(0, 19), "a chunk of 16 bytes is cut at byte 0"],
    [segment!.subarray(0, 3), "outside buffer bounds"],
    [Buffer.concat([Uint8Array.of(15, 0, 0, 0), segment!.subarray(4, 19)]), "an entry is cut at byte 0"],
  ];
  for (const [bytes, reason] of refusals)
    await expect(readSegments("a-task", [bytes], plain)).rejects.toMatchObject({
      code: "snapshot-corrupt",
      message: expect.stringMatching(
        new RegExp(`^a-task: the segments of the snapshot can't be read \\(.*${reason}.*\\); see .npm run recover`),
      ),
    });
  await expect(readSegments("a-task", [segment!], systemRuntime)).rejects.toMatchObject({ code: "snapshot-corrupt" });
});
