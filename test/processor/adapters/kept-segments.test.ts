import { describe, expect, test } from "@jest/globals";
import { KeptSegments } from "../../../processor/adapters/kept-segments.ts";
import type { SegmentKey, SnapshotStore } from "../../../processor/engine/ports.ts";

const key = (part: number): SegmentKey => ({ owner: "o", generation: 1, part });

/** A store in memory that can be away. */
function storeOf(): { readonly store: SnapshotStore; readonly state: { away: boolean; gets: number } } {
  const segments = new Map<number, Uint8Array>();
  const state = { away: false, gets: 0 };
  const answer = <T>(value: () => T): Promise<T> =>
    state.away ? Promise.reject(new Error("the table is away")) : Promise.resolve(value());
  const store: SnapshotStore = {
    readManifest: () => answer(() => null),
    writeManifest: () => answer(() => true),
    putSegment: (_task, { part }, bytes) => answer(() => void segments.set(part, bytes)),
    getSegment: (_task, { part }) => answer(() => (state.gets++, segments.get(part) ?? null)),
    deleteSegment: (_task, { part }) => answer(() => void segments.delete(part)),
  };
  return { store, state };
}

describe("kept segments", () => {
  test("are read while the table is away, whether they were written or read before", async () => {
    const { store, state } = storeOf();
    await store.putSegment("t", key(0), Buffer.from("read"));
    const kept = new KeptSegments(store, 100);
    await kept.getSegment("t", key(0));
    await kept.putSegment("t", key(1), Buffer.from("written"));
    state.away = true;
    expect(await kept.getSegment("t", key(0))).toEqual(Buffer.from("read"));
    expect(await kept.getSegment("t", key(1))).toEqual(Buffer.from("written"));
    await expect(kept.getSegment("other", key(1))).rejects.toThrow("away");
    expect(state.gets).toBe(1);
  });

  test("are no more bytes than the bound: the longest unused is let go", async () => {
    const { store, state } = storeOf();
    const kept = new KeptSegments(store, 10);
    await kept.putSegment("t", key(0), Buffer.alloc(5));
    await kept.putSegment("t", key(1), Buffer.alloc(5));
    await kept.getSegment("t", key(0));
    await kept.putSegment("t", key(2), Buffer.alloc(1));
    state.away = true;
    await expect(kept.getSegment("t", key(1))).rejects.toThrow("away");
    expect(await kept.getSegment("t", key(0))).toEqual(Buffer.alloc(5));
  });

  test("that the table did not take, or that were deleted, are not kept", async () => {
    const { store, state } = storeOf();
    const kept = new KeptSegments(store, 100);
    await kept.putSegment("t", key(0), Buffer.alloc(5));
    await kept.deleteSegment("t", key(0));
    state.away = true;
    await expect(kept.putSegment("t", key(1), Buffer.alloc(5))).rejects.toThrow("away");
    for (const part of [0, 1]) await expect(kept.getSegment("t", key(part))).rejects.toThrow("away");
  });
});
