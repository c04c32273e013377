import type { StateEntry } from "../runtime/machine.ts";
import { needsRecovery } from "./needs-recovery.ts";
import type { Runtime } from "./ports.ts";

/**
 * Version of the layout of manifests and segments. A change of either raises it; older ones are read. Since 2: chunks
 * are compressed by Zstandard. A manifest of layout 2 may name segments whose chunks are zlib's, from before it.
 */
export const SNAPSHOT_LAYOUT = 2;
/** Most bytes of a segment. DynamoDB takes items of up to 400 KB, attribute names and key included. */
export const SEGMENT_BYTES = 380_000;
/** Most bytes of entries that are compressed together. A larger entry is compressed alone. */
const CHUNK_BYTES = 1_000_000;
const INITIAL_BYTES = 65_536;
/** Most bytes that UTF-8 takes for one UTF-16 code unit of a key. */
const UTF8_BYTES_PER_UNIT = 3;

const utf8 = new TextEncoder();

/**
 * Collects the entries of one generation. Copies their bytes, so that the machine may continue at once. Layout of a
 * chunk: for each entry u32 length of the key, u32 length of the value (little-endian), key in UTF-8, value. Layout of
 * a generation: for each chunk u32 length of the compressed chunk (little-endian), compressed chunk; cut into
 * segments.
 */
export class EntryCollector {
  readonly #chunks: Uint8Array[] = [];
  #buffer = new Uint8Array(INITIAL_BYTES);
  #view = new DataView(this.#buffer.buffer);
  #used = 0;
  entries = 0;

  /** Adds an entry. Does not block. */
  readonly take = (entry: StateEntry): void => {
    const need = 8 + entry.key.length * UTF8_BYTES_PER_UNIT + entry.value.length;
    if (this.#used > 0 && this.#used + need > CHUNK_BYTES) this.#close();
    if (this.#used + need > this.#buffer.length) this.#grow(this.#used + need);
    const keyLength = utf8.encodeInto(entry.key, this.#buffer.subarray(this.#used + 8)).written;
    this.#view.setUint32(this.#used, keyLength, true);
    this.#view.setUint32(this.#used + 4, entry.value.length, true);
    this.#buffer.set(entry.value, this.#used + 8 + keyLength);
    this.#used += 8 + keyLength + entry.value.length;
    this.entries++;
  };

  #close(): void {
    this.#chunks.push(this.#buffer.slice(0, this.#used));
    this.#used = 0;
  }

  #grow(need: number): void {
    const larger = new Uint8Array(Math.max(need, this.#buffer.length * 2));
    larger.set(this.#buffer.subarray(0, this.#used));
    this.#buffer = larger;
    this.#view = new DataView(larger.buffer);
  }

  /** Compresses what was collected and cuts it into segments. Called once. */
  async segments(runtime: Pick<Runtime, "compress">): Promise<Uint8Array[]> {
    if (this.#used > 0) this.#close();
    const frames: Uint8Array[] = [];
    for (const chunk of this.#chunks) {
      const packed = await runtime.compress(chunk);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(packed.length);
      frames.push(length, packed);
    }
    const all = Buffer.concat(frames);
    const segments: Uint8Array[] = [];
    for (let from = 0; from < all.length; from += SEGMENT_BYTES)
      segments.push(all.subarray(from, from + SEGMENT_BYTES));
    return segments;
  }
}

/** The chunks of one generation, from its segments in order. @throws MillraceError `snapshot-corrupt` */
export async function readSegments(
  task: string,
  segments: readonly Uint8Array[],
  runtime: Pick<Runtime, "decompress">,
): Promise<Buffer[]> {
  try {
    return await readChunks(Buffer.concat(segments), runtime);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw needsRecovery("snapshot-corrupt", task, `the segments of the snapshot can't be read (${reason})`, cause);
  }
}

async function readChunks(all: Buffer, runtime: Pick<Runtime, "decompress">): Promise<Buffer[]> {
  const chunks: Buffer[] = [];
  for (let at = 0; at < all.length;) {
    const length = all.readUInt32LE(at);
    if (at + 4 + length > all.length) throw new Error(`a chunk of ${length} bytes is cut at byte ${at}`);
    const chunk = asBuffer(await runtime.decompress(all.subarray(at + 4, at + 4 + length)));
    checkChunk(chunk);
    chunks.push(chunk);
    at += 4 + length;
  }
  return chunks;
}

function checkChunk(chunk: Buffer): void {
  for (let at = 0; at < chunk.length;) {
    const end = at + 8 + chunk.readUInt32LE(at) + chunk.readUInt32LE(at + 4);
    if (end > chunk.length) throw new Error(`an entry is cut at byte ${at}`);
    at = end;
  }
}

/** The entries of chunks, made one by one: all at once would take more memory than the state itself. */
export function* entriesOf(chunks: readonly Buffer[]): Generator<StateEntry> {
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length;) {
      const valueAt = at + 8 + chunk.readUInt32LE(at);
      const end = valueAt + chunk.readUInt32LE(at + 4);
      yield { key: chunk.toString("utf8", at + 8, valueAt), value: chunk.subarray(valueAt, end) };
      at = end;
    }
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
