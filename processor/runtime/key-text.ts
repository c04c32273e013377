const utf8 = new TextDecoder();

/**
 * Texts of keys that were seen last, by a hash of their bytes: the same string again costs no allocation, and maps know
 * its hash. A text is ASCII and has as many characters as its key has bytes.
 */
const keyTexts: string[] = Array.from({ length: 1_024 }, () => "");
/** Bytes of a key whose text is kept: the longest that a sensor has. */
const MAX_KEPT_KEY = 128;

/** Keys are ASCII when they are valid; text decoding is for the message that says that one is not. */
export function keyText(key: Uint8Array): string {
  const { length } = key;
  if (length > MAX_KEPT_KEY) return decoded(key);
  let hash = length;
  for (let i = 0; i < length; i++) hash = (Math.imul(hash, 31) + key[i]!) | 0;
  const slot = hash & (keyTexts.length - 1);
  const kept = keyTexts[slot]!;
  if (isText(key, kept)) return kept;
  const text = decoded(key);
  if (isText(key, text)) keyTexts[slot] = text;
  return text;
}

/** Whether the bytes are those of an ASCII text. */
function isText(bytes: Uint8Array, text: string): boolean {
  if (text.length !== bytes.length) return false;
  for (let i = 0; i < bytes.length; i++) if (text.charCodeAt(i) !== bytes[i] || bytes[i]! > 0x7f) return false;
  return true;
}

function decoded(key: Uint8Array): string {
  return Buffer.isBuffer(key) ? key.toString("utf8") : utf8.decode(key);
}
