/** Text that JSON writes as it is. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** Bytes of a text in JSON, with its quotes. */
export function jsonBytes(text: string): number {
  return PLAIN.test(text) ? text.length + 2 : Buffer.byteLength(JSON.stringify(text));
}
