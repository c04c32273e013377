import { expect, test } from "@jest/globals";
import { systemRuntime } from "../../../processor/adapters/runtime.ts";

const text = "millrace ".repeat(20);

test.each([
  ["zlib, as snapshots of layout 1 are, by Python", "7801cbcdccc9294a4c4e55c81d3a0c0039c24435"],
  ["Zstandard, by its command line", "28b52ffd20b4850000486d696c6c726163652001002852e508"],
])("reads what is compressed by %s", async (_what, hex) => {
  expect(Buffer.from(await systemRuntime.decompress(Buffer.from(hex, "hex"))).toString()).toBe(text);
});

test("gives back what it has compressed, and makes it smaller", async () => {
  const packed = await systemRuntime.compress(Buffer.from(text));
  expect(packed.length).toBeLessThan(text.length / 4);
  expect(Buffer.from(await systemRuntime.decompress(packed)).toString()).toBe(text);
});

test("refuses what is damaged", async () => {
  const packed = Buffer.from(await systemRuntime.compress(Buffer.from(text)));
  await expect(systemRuntime.decompress(packed.subarray(0, -3))).rejects.toThrow();
  await expect(systemRuntime.decompress(Buffer.from(text))).rejects.toThrow();
});
