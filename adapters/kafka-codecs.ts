import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { decompressFrameSync } from "lz4-napi";
import { uncompressSync } from "snappy";

/**
 * Bytes that a record batch may have when it is decompressed. A batch of a megabyte, the largest that a topic takes, is
 * larger than this only when it was made to be.
 */
export const MAX_DECOMPRESSED_BYTES = 64 * 1_024 * 1_024;

/** Header of the framing of Java clients around Snappy (xerial/snappy-java, `SnappyCodec.java`): magic, versions. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER = 16;

/** Decompresses the records of a batch, by the number in its attributes: what Kafka brokers take. */
const codecs: Readonly<Record<number, { readonly name: string; decompress(packed: Buffer): Buffer }>> = {
  1: { name: "gzip", decompress: (packed) => gunzipSync(packed, { maxOutputLength: MAX_DECOMPRESSED_BYTES }) },
  2: { name: "snappy", decompress: unsnap },
  3: { name: "lz4", decompress: (packed) => bounded(decompressFrameSync(packed)) },
  4: { name: "zstd", decompress: (packed) => zstdDecompressSync(packed, { maxOutputLength: MAX_DECOMPRESSED_BYTES }) },
};

/**
 * The decompressed records of a batch.
 *
 * @param codec Bits 0 to 2 of the batch's attributes; not 0.
 * @throws Error that names the codec, for bytes that are not of it, for more than `MAX_DECOMPRESSED_BYTES`, and for a
 *   codec that Kafka does not have
 */
export function decompress(codec: number, packed: Buffer): Buffer {
  const known = codecs[codec];
  if (!known) throw new Error(`the batch is compressed with codec ${codec}, which Kafka does not have`);
  try {
    return known.decompress(packed);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`the batch's ${packed.length} bytes of ${known.name} can't be decompressed: ${reason}`, { cause });
  }
}

/** Raw Snappy, as librdkafka writes it, or chunks of it behind the header of Java clients. */
function unsnap(packed: Buffer): Buffer {
  if (!packed.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return unsnapRaw(packed, MAX_DECOMPRESSED_BYTES);
  const chunks: Buffer[] = [];
  let left = MAX_DECOMPRESSED_BYTES;
  for (let at = XERIAL_HEADER; at < packed.length;) {
    const from = at + 4;
    at = from + packed.readInt32BE(at);
    if (at <= from || at > packed.length) throw new Error("a chunk's length is wrong");
    const chunk = unsnapRaw(packed.subarray(from, at), left);
    left -= chunk.length;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The length stands first, so that nothing too large is decompressed. */
function unsnapRaw(packed: Buffer, most: number): Buffer {
  if (lengthOf(packed) > most) throw new Error(`it is more than ${MAX_DECOMPRESSED_BYTES} bytes`);
  return uncompressSync(packed, { asBuffer: true }) as Buffer;
}

/** The little-endian varint at the beginning of raw Snappy. */
function lengthOf(packed: Buffer): number {
  let length = 0;
  for (let i = 0; i < 5; i++) {
    const byte = packed[i] ?? 0;
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) break;
  }
  return length;
}

/** LZ4 expands a byte to at most 255, so the result of one batch can be held. */
function bounded(bytes: Buffer): Buffer {
  if (bytes.length > MAX_DECOMPRESSED_BYTES) throw new Error(`it is more than ${MAX_DECOMPRESSED_BYTES} bytes`);
  return bytes;
}
