import { expect, test } from "@jest/globals";
import { Reader, Writer } from "../../../processor/runtime/codec.ts";
import { Generations } from "../../../processor/runtime/generations.ts";
import { KeptState } from "../../../processor/runtime/kept.ts";

const open = (): KeptState<number> =>
  new KeptState<number>({
    name: "numbers",
    layout: 1,
    scope: "key",
    encode: (value, writer) => writer.f64(value),
    decode: (reader) => reader.f64(),
  });

/** A store of snapshots: what each generation wrote, in order. */
class Snapshots {
  readonly generations = new Generations();
  readonly #written: { generation: number; key: string; value: Uint8Array }[] = [];
  #generation = 0;

  take(state: KeptState<number>): string[] {
    const generation = this.#generation++;
    const keys: string[] = [];
    state.encodeChanges(generation, this.generations, new Writer(), ({ key, value }) => {
      this.#written.push({ generation, key, value });
      keys.push(key);
    });
    return keys;
  }

  /** State and generations as a restore finds them: of the generations that are live. */
  restore(): { readonly state: KeptState<number>; readonly generations: Generations } {
    const live = this.generations.live();
    const state = open();
    const generations = new Generations();
    for (const { generation, key, value } of this.#written)
      if (live.includes(generation))
        state.restore(key, value[0]!, new Reader(value.subarray(1)), generation, generations);
    return { state, generations };
  }

  /** What a restore gives, the entry that was set longest ago first. */
  restored(): (readonly [string, number])[] {
    return [...this.restore().state.entries()];
  }
}

test("entries are written when they change, and come back in the order in which they were set", () => {
  const state = open();
  const snapshots = new Snapshots();
  state.set("a", 1);
  state.set("b", 2);
  expect(snapshots.take(state)).toEqual(["a", "b"]);
  state.set("c", 3);
  state.set("a", 4);
  expect(snapshots.take(state)).toEqual(["c", "a"]);
  expect(snapshots.take(state)).toEqual([]);
  expect(snapshots.restored()).toEqual([
    ["b", 2],
    ["c", 3],
    ["a", 4],
  ]);
  // An old entry that is written anew keeps its place.
  state.rewriteUpTo(0, snapshots.generations);
  state.set("d", 5);
  expect(snapshots.take(state)).toEqual(["b", "d"]);
  expect(snapshots.restored().map(([name]) => name)).toEqual(["b", "c", "a", "d"]);
  const { state: restored } = snapshots.restore();
  restored.set("e", 6);
  expect([...restored.entries()].map(([name]) => name)).toEqual(["b", "c", "a", "d", "e"]);
});

test("a deleted entry stays away after a restore, and may be set again", () => {
  const state = open();
  const snapshots = new Snapshots();
  state.set("a", 1);
  state.set("b", 2);
  snapshots.take(state);
  state.delete("a");
  state.delete("never");
  expect([state.size, state.get("a")]).toEqual([1, undefined]);
  expect(snapshots.take(state)).toEqual(["a"]);
  expect(snapshots.restored()).toEqual([["b", 2]]);
  state.set("a", 3);
  snapshots.take(state);
  expect(snapshots.restored()).toEqual([
    ["b", 2],
    ["a", 3],
  ]);
});

test("an entry that was never written leaves no trace when it is deleted", () => {
  const state = open();
  const snapshots = new Snapshots();
  state.set("a", 1);
  state.delete("a");
  expect(snapshots.take(state)).toEqual([]);
});

test("generations that hold nothing any more can be dropped, deleted entries included", () => {
  const state = open();
  const snapshots = new Snapshots();
  state.set("a", 1);
  state.set("b", 2);
  snapshots.take(state);
  state.delete("a");
  snapshots.take(state);
  expect(snapshots.generations.live()).toEqual([0, 1]);
  state.rewriteUpTo(1, snapshots.generations);
  snapshots.take(state);
  expect(snapshots.generations.live()).toEqual([2]);
  expect(snapshots.restored()).toEqual([["b", 2]]);
  expect(snapshots.restore().generations.live()).toEqual([2]);
});
