import { InternedTexts } from "./interned-texts.ts";

const utf8 = new TextDecoder();
/** Keys that were seen last: the same string again costs no allocation, and maps know its hash. */
const texts = new InternedTexts();

/** Keys are ASCII when they are valid; text decoding is for the message that says that one is not. */
export function keyText(key: Uint8Array): string {
  return Buffer.isBuffer(key) ? keyTextIn(key, 0, key.length) : utf8.decode(key);
}

/** The key that is the bytes [from, to). */
export function keyTextIn(memory: Buffer, from: number, to: number): string {
  return texts.read(memory, from, to) ?? memory.toString("utf8", from, to);
}
