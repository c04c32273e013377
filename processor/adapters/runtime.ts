import { randomUUID } from "node:crypto";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { constants, inflate, zstdCompress, zstdDecompress } from "node:zlib";
import type { Runtime } from "../engine/ports.ts";

const zstdCompressAsync = promisify(zstdCompress);
const zstdDecompressAsync = promisify(zstdDecompress);
const inflateAsync = promisify(inflate);
/** Snapshots are mostly numbers. Higher levels cost more time and save little space. */
const FAST = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
/** Bounds of the pieces in which Node gives a result. By default they have the least size. */
const PIECE_BYTES = { least: 16_384, most: 1_048_576 };

/** A result of about so many bytes comes in one piece: many are put together on the main thread. */
function about(bytes: number): { readonly chunkSize: number } {
  return { chunkSize: Math.min(PIECE_BYTES.most, Math.max(PIECE_BYTES.least, bytes)) };
}

/** The first bytes of a Zstandard frame (RFC 8878, 3.1.1); zlib's streams begin with another. */
const ZSTANDARD = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

/** The runtime of a real process: a monotonic clock, Node's timers, random UUIDs, compression on Node's thread pool. */
export const systemRuntime: Runtime = {
  now: () => performance.now(),
  sleep: (ms) => sleep(ms),
  token: () => randomUUID(),
  compress: (bytes) => zstdCompressAsync(bytes, { ...FAST, ...about(bytes.length) }),
  decompress: (bytes) => {
    const isZstandard = ZSTANDARD.equals(bytes.subarray(0, ZSTANDARD.length));
    // No piece is much larger than the result, because that holds it for as long.
    return (isZstandard ? zstdDecompressAsync : inflateAsync)(bytes, about(4 * bytes.length));
  },
};
