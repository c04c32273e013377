import { createHash } from "node:crypto";
import { headers as headerNames } from "../../domain/topics.ts";
import type { InputRecord } from "./machine.ts";

/** Longest error message of a dead letter, in characters. */
const MAX_MESSAGE_LENGTH = 2_000;

type Headers = Readonly<Record<string, string>>;
/** What a dead letter has of its source. */
export type LetterSource = Pick<InputRecord, "key" | "value" | "headers">;

/** Bytes of a record's key, value and headers. */
export function sizeOf(key: Uint8Array | string | null, value: Uint8Array | string | null, headers: Headers): number {
  let bytes = length(key) + length(value);
  for (const name in headers) bytes += Buffer.byteLength(name) + Buffer.byteLength(headers[name]!);
  return bytes;
}

function length(bytes: Uint8Array | string | null): number {
  if (bytes === null) return 0;
  return typeof bytes === "string" ? Buffer.byteLength(bytes) : bytes.length;
}

/**
 * A dead letter: the source's key, value and headers, and `own` headers. What does not fit into `maxBytes` is cut: the
 * value to the bytes that are left, then the source's headers, then the key. The header `cut` names what was; the
 * value's full size and SHA-256 stand beside it.
 */
export function letterOf(source: LetterSource, own: Headers, maxBytes: number): LetterSource {
  const headers = { ...source.headers, ...own };
  const { key, value } = source;
  if (sizeOf(key, value, headers) <= maxBytes) return { key, value, headers };
  const bytes = value ?? new Uint8Array(0);
  const describing = {
    ...own,
    [headerNames.fullSize]: String(bytes.length),
    [headerNames.fullSha256]: createHash("sha256").update(bytes).digest("hex"),
  };
  const tries: { readonly cut: string; readonly key: Uint8Array | null; readonly headers: Headers }[] = [
    { cut: "value", key, headers: { ...source.headers, ...describing } },
    { cut: "value, headers", key, headers: describing },
    { cut: "value, headers, key", key: key?.subarray(0, maxBytes >> 2) ?? null, headers: describing },
  ];
  const fitting = tries.find(
    (one) => sizeOf(one.key, null, { ...one.headers, [headerNames.cut]: one.cut }) <= maxBytes,
  );
  const chosen = fitting ?? tries.at(-1)!;
  const withCut = { ...chosen.headers, [headerNames.cut]: chosen.cut };
  const room = Math.max(0, maxBytes - sizeOf(chosen.key, null, withCut));
  return { key: chosen.key, value: value?.subarray(0, room) ?? null, headers: withCut };
}

/** An error message that is not longer than a header should be. */
export function shortened(message: string): string {
  if (message.length <= MAX_MESSAGE_LENGTH) return message;
  const note = `… (${message.length} characters)`;
  return message.slice(0, MAX_MESSAGE_LENGTH - note.length).toWellFormed() + note;
}
