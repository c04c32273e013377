import { expect, test } from "@jest/globals";
import { keyText } from "../../../processor/runtime/key-text.ts";

test("a key's text is that of its bytes, however many keys there are, and whatever their form", () => {
  const keys = [
    ...Array.from({ length: 5_000 }, (_, i) => `s${i}`),
    // The first two have the same hash by 31.
    ...["AaAa", "BBBB", "", "é", "Ã©", "\u{1f600}", "x".repeat(128), "x".repeat(129), "x".repeat(127) + "é"],
  ];
  for (const key of [...keys, ...keys.toReversed()]) {
    expect(keyText(Buffer.from(key))).toBe(key);
    expect(keyText(new Uint8Array(Buffer.from(key)))).toBe(key);
  }
});

test("a key that is no UTF-8 has the replacement character, as text decoding gives it", () => {
  for (const bytes of [[0xff], [0x41, 0x80], [0xc3]]) expect(keyText(Uint8Array.from(bytes))).toMatch(/\ufffd/);
});
