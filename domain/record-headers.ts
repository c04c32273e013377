/** A record's headers as they are in the log: in order, with names repeated where the record repeats them. */
export type RecordHeaders = readonly (readonly [name: string, value: Uint8Array | null])[];

/**
 * Header values as UTF-8 text, by name. The last header of a name counts, as in Kafka's `lastHeader`. A header that is
 * null counts as absent.
 */
export function textHeaders(headers: RecordHeaders): Readonly<Record<string, string>> {
  const last = new Map<string, string>();
  for (const [name, value] of headers) {
    last.delete(name);
    if (value !== null) last.set(name, textOf(value));
  }
  return Object.fromEntries(last);
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}

/** The text of bytes that are UTF-8; null for others. */
export function utf8Text(bytes: Uint8Array): string | null {
  const text = textOf(bytes);
  // What is no UTF-8 is decoded as this character, which may also stand there itself.
  return !text.includes("\ufffd") || Buffer.from(text).equals(bytes) ? text : null;
}
