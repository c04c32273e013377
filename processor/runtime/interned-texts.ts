/** Texts that are kept, a power of two: more than the accounts and symbols that a partition sees in turn. */
const SLOTS = 8_192;
/** Longer texts are not kept: the longest that a key has. */
const LONGEST = 128;

/**
 * Texts of ASCII that come again and again, such as keys and accounts: the same bytes give the same string most often,
 * without a new one. Of those that fall on the same slot the newest is kept.
 */
export class InternedTexts {
  readonly #slots: string[] = Array.from({ length: SLOTS }, () => "");

  /** The text of [from, to); null where a byte is no ASCII. */
  read(bytes: Buffer, from: number, to: number): string | null {
    let hash = 0;
    let all = 0;
    for (let i = from; i < to; i++) {
      const byte = bytes[i]!;
      all |= byte;
      hash = (Math.imul(hash, 31) + byte) | 0;
    }
    if (all >= 0x80) return null;
    const slot = (hash ^ (hash >>> 13)) & (SLOTS - 1);
    const kept = this.#slots[slot]!;
    if (isText(kept, bytes, from, to)) return kept;
    const text = bytes.toString("latin1", from, to);
    if (to - from <= LONGEST) this.#slots[slot] = text;
    return text;
  }
}

/** Whether bytes [from, to) are a text of ASCII. */
export function isText(text: string, bytes: Buffer, from: number, to: number): boolean {
  if (text.length !== to - from) return false;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[from + i]) return false;
  return true;
}
