import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { InternedTexts } from "../../../processor/runtime/interned-texts.ts";

test("texts are read as they are, whatever was read before", () => {
  const texts = new InternedTexts();
  const ascii = fc.string({ unit: fc.integer({ min: 0, max: 127 }).map((code) => String.fromCharCode(code)) });
  fc.assert(
    fc.property(ascii, ascii, (before, text) => {
      const bytes = Buffer.from(before + text);
      expect(texts.read(bytes, before.length, bytes.length)).toBe(text);
    }),
  );
});

test("more texts than are kept are read as they are", () => {
  const texts = new InternedTexts();
  for (const round of [1, 2])
    for (let i = 0; i < 20_000; i++) {
      const text = `ACC-${i}`;
      if (texts.read(Buffer.from(text), 0, text.length) !== text) throw new Error(`${text} in round ${round}`);
    }
  expect(texts.read(Buffer.from("ACC-1"), 0, 5)).toBe("ACC-1");
});

test("other bytes than ASCII are no text", () => {
  const bytes = Buffer.from("Käse");
  expect(new InternedTexts().read(bytes, 0, bytes.length)).toBeNull();
});
