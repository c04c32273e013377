import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { hashOf, TradeIds } from "../../../../processor/pipelines/market/trade-ids.ts";

/** `hashOf` a text, which lies among others. */
function hash(id: string, seed: number): number {
  return hashOf(Buffer.from(`<${id}>`), 1, 1 + id.length, seed);
}

/** A table, and a map that does the same. */
function tables() {
  const ids: string[] = [];
  const table = new TradeIds({
    hasId: (handle, bytes, from, to) => ids[handle] === Buffer.from(bytes).toString("latin1", from, to),
    hashOf: (handle, seed) => hash(ids[handle]!, seed),
  });
  const map = new Map<string, number>();
  return {
    table,
    map,
    find: (id: string): number => table.find(Buffer.from(`"${id}"`), 1, 1 + id.length),
    add(id: string): void {
      if (map.has(id)) return;
      const handle = ids.push(id) - 1;
      table.add(handle);
      map.set(id, handle);
    },
    delete(id: string): void {
      table.delete(map.get(id) ?? ids.push(id) - 1);
      map.delete(id);
    },
  };
}

test("a table does what a map does, whatever is added and deleted", () => {
  const id = fc.integer({ min: 0, max: 60 }).map((n) => `T-${n}`);
  const steps = fc.array(fc.record({ id, deletes: fc.boolean() }), { minLength: 50, maxLength: 400 });
  fc.assert(
    fc.property(steps, (all) => {
      const both = tables();
      for (const step of all) both[step.deletes ? "delete" : "add"](step.id);
      expect(both.table.size).toBe(both.map.size);
      const ids = Array.from({ length: 61 }, (_, n) => `T-${n}`);
      expect(ids.map((one) => both.find(one))).toEqual(ids.map((one) => both.map.get(one) ?? -1));
    }),
  );
});

test("a table grows and shrinks with its ids", () => {
  const both = tables();
  for (let n = 0; n < 20_000; n++) both.add(`TRX-${n}`);
  expect(both.table.seed).toBe(0);
  for (let n = 0; n < 19_990; n++) both.delete(`TRX-${n}`);
  expect(both.table.size).toBe(10);
  for (let n = 0; n < 20_000; n++) if (both.find(`TRX-${n}`) !== (n < 19_990 ? -1 : n)) throw new Error(`${n}`);
});

test("ids that were chosen to meet are placed anew, so that a walk stays short", () => {
  const both = tables();
  for (let n = 0; both.map.size < 100; n++) if ((hash(`T-${n}`, 0) & 0x1ff) === 0) both.add(`T-${n}`);
  expect(both.table.seed).toBe(1);
  for (const [id, handle] of both.map) expect(both.find(id)).toBe(handle);
});
