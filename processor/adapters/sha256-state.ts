/** A SHA-256 that is under way, which `node:crypto` can't write down: what was hashed so far, in whole blocks. */
export interface Sha256State {
  /** The eight words of the chain, as 64 hex digits. */
  readonly words: string;
  /** Bytes hashed so far; a multiple of 64. */
  readonly bytes: number;
}

const BLOCK = 64;
/** The state before the first byte: fractional parts of square roots of the first eight primes (FIPS 180-4, 5.3.3). */
export const SHA256_START: Sha256State = {
  words: "6a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd19",
  bytes: 0,
};
/** Fractional parts of the cube roots of the first 64 primes (FIPS 180-4, 4.2.2). */
const K = Uint32Array.from(primes(64), (prime) => Math.floor((Math.cbrt(prime) % 1) * 2 ** 32));

/** The state behind more whole blocks (FIPS 180-4, 6.2.2). */
export function continueSha256({ words, bytes }: Sha256State, blocks: Uint8Array): Sha256State {
  const h = new Uint32Array(Buffer.from(words, "hex").length / 4);
  h.forEach((_, i) => (h[i] = Number.parseInt(words.slice(8 * i, 8 * i + 8), 16)));
  const view = new DataView(blocks.buffer, blocks.byteOffset, blocks.byteLength);
  for (let at = 0; at + BLOCK <= blocks.length; at += BLOCK) compress(h, view, at);
  return { words: [...h].map(hex).join(""), bytes: bytes + blocks.length - (blocks.length % BLOCK) };
}

/** The digest, in hex, when `rest` is hashed last. */
export function finishSha256(state: Sha256State, rest: Uint8Array): string {
  const length = state.bytes + rest.length;
  const padded = Buffer.alloc(Math.ceil((rest.length + 9) / BLOCK) * BLOCK);
  padded.set(rest);
  padded[rest.length] = 0x80;
  padded.writeBigUInt64BE(BigInt(length) * 8n, padded.length - 8);
  return continueSha256(state, padded).words;
}

function compress(h: Uint32Array, view: DataView, at: number): void {
  const w = new Uint32Array(64);
  for (let t = 0; t < 16; t++) w[t] = view.getUint32(at + 4 * t);
  for (let t = 16; t < 64; t++) {
    const [a, b] = [w[t - 15]!, w[t - 2]!];
    w[t] = w[t - 16]! + (rotr(a, 7) ^ rotr(a, 18) ^ (a >>> 3)) + w[t - 7]! + (rotr(b, 17) ^ rotr(b, 19) ^ (b >>> 10));
  }
  let [a, b, c, d, e, f, g, last] = h as unknown as [number, number, number, number, number, number, number, number];
  for (let t = 0; t < 64; t++) {
    const one = (last + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + ((e & f) ^ (~e & g)) + K[t]! + w[t]!) >>> 0;
    const two = ((rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) >>> 0;
    [a, b, c, d, e, f, g, last] = [(one + two) >>> 0, a, b, c, (d + one) >>> 0, e, f, g];
  }
  for (const [i, word] of [a, b, c, d, e, f, g, last].entries()) h[i] = h[i]! + word;
}

function rotr(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}

function hex(word: number): string {
  return word.toString(16).padStart(8, "0");
}

function primes(count: number): number[] {
  const found: number[] = [];
  for (let n = 2; found.length < count; n++) if (found.every((prime) => n % prime !== 0)) found.push(n);
  return found;
}
