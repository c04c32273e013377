/** First bytes by which a format is recognised, and what a device that sends it should do. */
interface Signature {
  readonly bytes: readonly number[];
  readonly format: string;
  readonly advice: string;
}

const COMPRESSED = "send it uncompressed";
const OTHER = "send application/json or application/x-millrace-imu";

function signature(hex: string, format: string, advice: string): Signature {
  return { bytes: hex.split(" ").map((byte) => Number.parseInt(byte, 16)), format, advice };
}

/**
 * Formats that devices send by mistake. Sources: RFC 1952 (gzip), RFC 1950 (zlib, the levels that are used), RFC 8878
 * (Zstandard), the frame formats of LZ4 and Snappy, RFC 8949 section 3.4.6 (CBOR), Unicode (the byte order mark).
 */
const signatures: readonly Signature[] = [
  signature("1f 8b", "gzip", COMPRESSED),
  signature("78 01", "zlib", COMPRESSED),
  signature("78 5e", "zlib", COMPRESSED),
  signature("78 9c", "zlib", COMPRESSED),
  signature("78 da", "zlib", COMPRESSED),
  signature("28 b5 2f fd", "Zstandard", COMPRESSED),
  signature("04 22 4d 18", "LZ4", COMPRESSED),
  signature("ff 06 00 00 73 4e 61 50 70 59", "Snappy", COMPRESSED),
  signature("d9 d9 f7", "CBOR", OTHER),
  signature("ef bb bf", "a byte order mark", "leave it out"),
  signature("ff fe", "UTF-16", "send UTF-8"),
  signature("fe ff", "UTF-16", "send UTF-8"),
  signature("7b 00", "UTF-16", "send UTF-8"),
  signature("00 7b", "UTF-16", "send UTF-8"),
  signature("3c", "XML", OTHER),
  signature("4d 49", "a packed IMU message", "give it the content type application/x-millrace-imu"),
];
/** The first byte of JSON: no sign of a mistake where JSON is expected, broken as it may be. */
const OPENING_BRACE = 0x7b;

/** Bytes that are shown of a payload. */
const SHOWN = 4;

/** The first bytes of a payload in hex. */
export function firstBytes(payload: Uint8Array): string {
  return Array.from(payload.subarray(0, SHOWN), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** The format that a payload has instead of JSON, and what to do, in words; null when none is recognised. */
export function formatInsteadOfJson(payload: Uint8Array): string | null {
  const known = signatures.find(({ bytes }) => bytes.every((byte, i) => payload[i] === byte)) ?? objectOf(payload[0]);
  return known && `which is ${known.format}: ${known.advice}`;
}

/** The format that a payload has instead of the packed one, and what to do, in words; null when none is recognised. */
export function formatInsteadOfPacked(payload: Uint8Array): string | null {
  const isJson = payload[0] === OPENING_BRACE;
  return formatInsteadOfJson(payload) ?? (isJson ? "which is JSON: give it the content type application/json" : null);
}

/** An object of CBOR or MessagePack, by the byte that begins it. Neither can begin a text in UTF-8. */
function objectOf(first: number | undefined): Omit<Signature, "bytes"> | null {
  if (first === undefined) return null;
  if (first >= 0xa0 && first <= 0xbf) return { format: "CBOR", advice: OTHER };
  const isMap = (first >= 0x80 && first <= 0x8f) || first === 0xde || first === 0xdf;
  return isMap ? { format: "MessagePack", advice: OTHER } : null;
}
