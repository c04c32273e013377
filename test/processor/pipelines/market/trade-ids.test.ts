import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { hashOf, TradeIds } from "../../../../processor/pipelines/market/trade-ids.ts";

/** A table, and a map that does the same. */
function tables() {
  const ids: string[] = [];
  const table = new TradeIds((handle) => ids[handle]!);
  const map = new Map<string, number>();
  return {
    table,
    map,
    set(id: string): void {
      const handle = ids.push(id) - 1;
      table.set(id, handle);
      map.set(id, handle);
    },
    delete(id: string): void {
      table.delete(id);
      map.delete(id);
    },
  };
}

test("a table does what a map does, whatever is set and deleted", () => {
  const id = fc.integer({ min: 0, max: 60 }).map((n) => `T-${n}`);
  const steps = fc.array(fc.record({ id, deletes: fc.boolean() }), { minLength: 50, maxLength: 400 });
  fc.assert(
    fc.property(steps, (all) => {
      const both = tables();
      for (const step of all) both[step.deletes ? "delete" : "set"](step.id);
      expect(both.table.size).toBe(both.map.size);
      const ids = Array.from({ length: 61 }, (_, n) => `T-${n}`);
      expect(ids.map((one) => both.table.find(one))).toEqual(ids.map((one) => both.map.get(one) ?? -1));
    }),
  );
});

test("a table grows and shrinks with its ids", () => {
  const both = tables();
  for (let n = 0; n < 20_000; n++) both.set(`TRX-${n}`);
  expect(both.table.seed).toBe(0);
  for (let n = 0; n < 19_990; n++) both.delete(`TRX-${n}`);
  expect(both.table.size).toBe(10);
  for (let n = 0; n < 20_000; n++) if (both.table.find(`TRX-${n}`) !== (n < 19_990 ? -1 : n)) throw new Error(`${n}`);
});

test("ids that were chosen to meet are placed anew, so that a walk stays short", () => {
  const ids: string[] = [];
  for (let n = 0; ids.length < 100; n++) if ((hashOf(`T-${n}`, 0) & 0x1ff) === 0) ids.push(`T-${n}`);
  const table = new TradeIds((handle) => ids[handle]!);
  ids.forEach((id, handle) => table.set(id, handle));
  expect(table.seed).toBe(1);
  ids.forEach((id, handle) => expect(table.find(id)).toBe(handle));
});
