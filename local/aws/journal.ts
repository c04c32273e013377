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
/** Of a line without its data: checksum, time, two spaces, line feed. */
const LINE_BYTES = 8 + 16 + 3;

/**
 * A journal of what a local endpoint has acknowledged: segment files with lines `<CRC-32 of the rest> <arrival ms>
 * <base64>`. Appends that arrive during a write share the next sync. Only the process that created a segment appends to
 * it, so only its last lines can be torn, and torn lines were never acknowledged.
 */
export class Journal {
  readonly #directory: string;
  #segment: Segment | null = null;
  /** Bytes of the sealed segments, by name, oldest first. */
  readonly #sealed: Map<string, number>;
  #waiting: { readonly lines: readonly Buffer[]; resolve: () => void; reject: (error: unknown) => void }[] = [];
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
    const lines = entries.map(encodeLine);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ lines, resolve, reject });
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

  /** Entries of a sealed segment, and the number of torn or corrupt lines. */
  async read(name: string): Promise<{ entries: JournalEntry[]; corrupt: number }> {
    const entries: JournalEntry[] = [];
    let corrupt = 0;
    const bytes = await readFile(this.#path(name));
    for (let from = 0; from < bytes.length;) {
      const end = bytes.indexOf("\n", from);
      const line = bytes.subarray(from, end === -1 ? bytes.length : end);
      const entry = decodeLine(line);
      if (entry) entries.push(entry);
      else if (line.length > 0) corrupt++;
      from += line.length + 1;
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
        const bytes = Buffer.concat(batch.flatMap(({ lines }) => lines));
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
  return 4 * Math.ceil(dataBytes / 3) + LINE_BYTES;
}

function encodeLine({ arrivalMs, data }: JournalEntry): Buffer {
  const base64 = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
  const line = Buffer.from(`${" ".repeat(9)}${arrivalMs} ${base64}\n`, "latin1");
  line.write(`${checksum(line.subarray(9, -1))} `, "latin1");
  return line;
}

function decodeLine(line: Buffer): JournalEntry | null {
  const rest = line.subarray(9);
  if (rest.length === 0 || checksum(rest) !== line.toString("latin1", 0, 8)) return null;
  const space = rest.indexOf(" ");
  return {
    arrivalMs: Number(rest.toString("latin1", 0, space)),
    data: Buffer.from(rest.toString("latin1", space + 1), "base64"),
  };
}

const checksum = (bytes: Buffer): string => crc32(bytes).toString(16).padStart(8, "0");
