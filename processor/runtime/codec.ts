import { MillraceError } from "../../domain/errors.ts";

/** Added to the length of a text in UTF-16. */
const UTF16 = 2 ** 31;

/** Appends little-endian values to a buffer that grows. `take` gives a copy of what was written and starts anew. */
export class Writer {
  #buffer = Buffer.allocUnsafe(4_096);
  #length = 0;

  #room(bytes: number): number {
    const at = this.#length;
    if (at + bytes > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(2 * this.#buffer.length, at + bytes));
      this.#buffer.copy(larger, 0, 0, at);
      this.#buffer = larger;
    }
    this.#length = at + bytes;
    return at;
  }

  u8(value: number): void {
    const at = this.#room(1);
    this.#buffer[at] = value;
  }

  u32(value: number): void {
    const at = this.#room(4);
    this.#buffer.writeUInt32LE(value, at);
  }

  f64(value: number): void {
    const at = this.#room(8);
    this.#buffer.writeDoubleLE(value, at);
  }

  /** UTF-8, or UTF-16 for a string with half a surrogate pair, which JSON allows and UTF-8 can't hold. */
  text(value: string): void {
    const encoding = value.isWellFormed() ? "utf8" : "utf16le";
    const bytes = Buffer.byteLength(value, encoding);
    this.u32(encoding === "utf8" ? bytes : bytes + UTF16);
    const at = this.#room(bytes);
    this.#buffer.write(value, at, encoding);
  }

  /** Writes a text or its absence: undefined and null are both read back as null. */
  optionalText(value: string | null | undefined): void {
    this.u8(value == null ? 0 : 1);
    if (value != null) this.text(value);
  }

  f64s(values: Float64Array): void {
    this.u32(values.length);
    const at = this.#room(8 * values.length);
    const view = new DataView(this.#buffer.buffer, this.#buffer.byteOffset + at);
    for (let i = 0; i < values.length; i++) view.setFloat64(8 * i, values[i]!, true);
  }

  f32s(values: Float32Array): void {
    this.u32(values.length);
    const at = this.#room(4 * values.length);
    for (let i = 0; i < values.length; i++) this.#buffer.writeFloatLE(values[i]!, at + 4 * i);
  }

  /** Writes the length of what `write` writes, then that, so that a reader can skip it. */
  section(write: () => void): void {
    const at = this.#room(4);
    write();
    this.#buffer.writeUInt32LE(this.#length - at - 4, at);
  }

  take(): Buffer {
    const copy = Buffer.from(this.#buffer.subarray(0, this.#length));
    this.#length = 0;
    return copy;
  }
}

/** Reads what `Writer` wrote. @throws MillraceError `snapshot-corrupt` when the bytes end too early. */
export class Reader {
  readonly #buffer: Buffer;
  #at: number;

  /** @param at Where to begin. @default at the first byte */
  constructor(bytes: Uint8Array, at = 0) {
    this.#buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = at;
  }

  #next(bytes: number): number {
    const at = this.#at;
    if (at + bytes > this.#buffer.length) {
      throw new MillraceError(
        "snapshot-corrupt",
        `a state entry of ${this.#buffer.length} bytes ends too early: ${bytes} bytes were expected at ${at}. ` +
          "Run `npm run recover`.",
      );
    }
    this.#at = at + bytes;
    return at;
  }

  u8(): number {
    return this.#buffer[this.#next(1)]!;
  }

  u32(): number {
    return this.#buffer.readUInt32LE(this.#next(4));
  }

  f64(): number {
    return this.#buffer.readDoubleLE(this.#next(8));
  }

  text(): string {
    const length = this.u32();
    const bytes = length % UTF16;
    const at = this.#next(bytes);
    return this.#buffer.toString(length < UTF16 ? "utf8" : "utf16le", at, at + bytes);
  }

  /** The bytes of a text of ASCII. */
  ascii(): Buffer {
    const length = this.u32();
    const at = this.#next(length);
    return this.#buffer.subarray(at, at + length);
  }

  optionalText(): string | null {
    return this.u8() === 0 ? null : this.text();
  }

  f64s(): Float64Array {
    const values = new Float64Array(this.u32());
    this.f64sInto(values, 0, values.length);
    return values;
  }

  /** Reads `count` numbers into `values`, from index `from` on. */
  f64sInto(values: Float64Array, from: number, count: number): void {
    const at = this.#next(8 * count);
    for (let i = 0; i < count; i++) values[from + i] = this.#buffer.readDoubleLE(at + 8 * i);
  }

  f32s(): Float32Array {
    const values = new Float32Array(this.u32());
    for (let i = 0; i < values.length; i++) values[i] = this.#buffer.readFloatLE(this.#next(4));
    return values;
  }

  section(): Reader {
    const bytes = this.u32();
    const at = this.#next(bytes);
    return new Reader(this.#buffer.subarray(at, at + bytes));
  }
}
