import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, readFile, stat, unlink, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";

/** An acknowledged record. */
export interface JournalEntry {
  readonly arrivalMs: number;
  readonly data: Uint8Array;
}

/** The segment that is being written. */
interface Segment {
  readonly name: string;
  readonly file: FileHandle;
  bytes: number;
  readonly openedMs: number;
}

const SUFFIX = ".journal";
const CHECKSUM_CHARS = 8;
/** Of a frame without its data, at most: checksum, time, length, two spaces, two line feeds. */
const FRAME_BYTES = CHECKSUM_CHARS + 16 + 10 + 4;
const LINE_FEED = Buffer.from("\n");

/**
 * A journal of what a local endpoint has acknowledged: segment files of frames. A frame is a line `<CRC-32 of the rest
 * and the data> <arrival ms> <bytes of data>`, the data, and a line feed. Appends that arrive during a write share the
 * next sync. Only the process that created a segment appends to it, so only its last frames can be torn, and torn
 * frames were never acknowledged.
 */
export class Journal {
  readonly #directory: string;
  #segment: Segment | null = null;
  /** Bytes of the sealed segments, by name, oldest first. */
  readonly #sealed: Map<string, number>;
  #waiting: { readonly frames: readonly Uint8Array[]; resolve: () => void; reject: (error: unknown) => void }[] = [];
  #sealers: (() => void)[] = [];
  #working = false;

  private constructor(directory: string, sealed: ReadonlyMap<string, number>) {
    this.#directory = directory;
    this.#sealed = new Map(sealed);
  }

  /** Opens the folder, and creates it if necessary. The segments of earlier processes are sealed. */
  static async open(directory: string): Promise<Journal> {
    await mkdir(directory, { recursive: true });
    const files = (await readdir(directory)).filter((file) => file.endsWith(SUFFIX)).sort();
    return new Journal(
      directory,
      new Map(
        await Promise.all(
          files.map(async (file) => [file.slice(0, -SUFFIX.length), (await stat(join(directory, file))).size] as const),
        ),
      ),
    );
  }

  /** Bytes and age of the segment that is being written. */
  active(nowMs: number): { bytes: number; ageMs: number } {
    return this.#segment
      ? { bytes: this.#segment.bytes, ageMs: nowMs - this.#segment.openedMs }
      : { bytes: 0, ageMs: 0 };
  }

  /** Bytes of all segments. */
  bytes(): number {
    let sum = this.#segment?.bytes ?? 0;
    for (const bytes of this.#sealed.values()) sum += bytes;
    return sum;
  }

  /** Resolves when the entries are on the disk. */
  append(entries: readonly JournalEntry[]): Promise<void> {
    const frames = entries.flatMap(encodeFrame);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ frames, resolve, reject });
      this.#work();
    });
  }

  /** Ends the active segment, if there is one. Later appends go to a new segment. */
  seal(): Promise<void> {
    return new Promise((resolve) => {
      this.#sealers.push(resolve);
      this.#work();
    });
  }

  /** The segments that are no longer written, oldest first. The folder cannot tell: it also has the active one. */
  sealed(): { name: string; bytes: number }[] {
    return [...this.#sealed].map(([name, bytes]) => ({ name, bytes }));
  }

  /** Entries of a sealed segment, which share its memory, and the number of torn or corrupt pieces between them. */
  async read(name: string): Promise<{ entries: JournalEntry[]; corrupt: number }> {
    const entries: JournalEntry[] = [];
    let corrupt = 0;
    let isCorrupt = false;
    const bytes = await readFile(this.#path(name));
    for (let from = 0; from < bytes.length;) {
      const lineEnd = bytes.indexOf("\n", from);
      const end = lineEnd === -1 ? bytes.length : lineEnd;
      const found = decodeFrame(bytes, from, end) ?? decodeLine(bytes, from, end);
      if (found) entries.push(found.entry);
      else if (!isCorrupt && end > from) corrupt++;
      // Behind what is corrupt, a frame begins a line.
      isCorrupt = !found;
      from = (found?.end ?? end) + 1;
    }
    return { entries, corrupt };
  }

  async remove(name: string): Promise<void> {
    await unlink(this.#path(name));
    this.#sealed.delete(name);
  }

  #work(): void {
    if (this.#working) return;
    this.#working = true;
    void this.#writeAll();
  }

  /** The only writer. It writes all waiting entries at once, and seals between two writes. Never rejects. */
  async #writeAll(): Promise<void> {
    while (this.#waiting.length + this.#sealers.length > 0) {
      if (this.#sealers.length > 0) {
        const sealers = this.#sealers;
        this.#sealers = [];
        await this.#leaveSegment();
        for (const resolve of sealers) resolve();
        continue;
      }
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        const segment = (this.#segment ??= await this.#create());
        const bytes = Buffer.concat(batch.flatMap(({ frames }) => frames));
        await segment.file.writeFile(bytes);
        await segment.file.datasync();
        segment.bytes += bytes.length;
        for (const { resolve } of batch) resolve();
      } catch (error) {
        // A part of the batch may be at the segment's end, so nothing may be appended to this segment.
        await this.#leaveSegment();
        for (const { reject } of batch) reject(error);
      }
    }
    // No await lies between the loop's last check and this line, so no entry can be left waiting.
    this.#working = false;
  }

  async #leaveSegment(): Promise<void> {
    const segment = this.#segment;
    this.#segment = null;
    if (segment === null) return;
    await segment.file.close().catch(() => {});
    this.#sealed.set(segment.name, segment.bytes);
  }

  async #create(): Promise<Segment> {
    const openedMs = Date.now();
    const name = `${String(openedMs).padStart(15, "0")}-${randomBytes(4).toString("hex")}`;
    return { name, file: await open(this.#path(name), "ax"), bytes: 0, openedMs };
  }

  #path(name: string): string {
    return join(this.#directory, name + SUFFIX);
  }
}

/** Bytes that an entry with so many bytes of data takes in a journal, at most. */
export function journalBytes(dataBytes: number): number {
  return dataBytes + FRAME_BYTES;
}

function encodeFrame({ arrivalMs, data }: JournalEntry): Uint8Array[] {
  const rest = `${arrivalMs} ${data.length}\n`;
  return [Buffer.from(`${checksum(crc32(data, crc32(rest)))} ${rest}`, "latin1"), data, LINE_FEED];
}

/** An entry, and where the line feed behind it is. */
interface Decoded {
  readonly entry: JournalEntry;
  readonly end: number;
}

/** The frame whose first line is [from, lineEnd); null when it is none, or torn or corrupt. */
function decodeFrame(bytes: Buffer, from: number, lineEnd: number): Decoded | null {
  if (lineEnd - from > FRAME_BYTES) return null;
  const line = /^([0-9a-f]{8}) (\d+) (\d+)$/.exec(bytes.toString("latin1", from, lineEnd));
  if (line === null) return null;
  const data = bytes.subarray(lineEnd + 1, lineEnd + 1 + Number(line[3]));
  const checked = crc32(data, crc32(`${line[2]} ${line[3]}\n`));
  if (data.length !== Number(line[3]) || checksum(checked) !== line[1]) return null;
  return { entry: { arrivalMs: Number(line[2]), data }, end: lineEnd + 1 + data.length };
}

/** An entry as version 0.1 wrote it, as a line: `<CRC-32 of the rest> <arrival ms> <base64>`. */
function decodeLine(bytes: Buffer, from: number, end: number): Decoded | null {
  const rest = bytes.subarray(from + CHECKSUM_CHARS + 1, end);
  const space = rest.indexOf(" ");
  if (space === -1 || checksum(crc32(rest)) !== bytes.toString("latin1", from, from + CHECKSUM_CHARS)) return null;
  const arrivalMs = Number(rest.toString("latin1", 0, space));
  return { entry: { arrivalMs, data: Buffer.from(rest.toString("latin1", space + 1), "base64") }, end };
}

const checksum = (crc: number): string => crc.toString(16).padStart(CHECKSUM_CHARS, "0");
