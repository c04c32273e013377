import type { DeadLetterCode } from "./errors.ts";
import type { ImuMessage, ImuSample } from "./imu-message.ts";
import { imuLimits } from "./imu.ts";
import { firstBytes, formatInsteadOfPacked } from "./signatures.ts";

/**
 * Layout of `application/x-millrace-imu`, version 1, as docs/packed-format.md specifies it. Little-endian; offsets in
 * bytes from the start of the message.
 */
export const packedImu = {
  /** "MI" read as little-endian u16. */
  magic: 0x494d,
  version: 1,
  /** Flag bits; all others are 0. */
  flags: { timePerSample: 1, boot: 2 },
  offsets: { magic: 0, version: 2, flags: 3, count: 4, bootLength: 6, reserved: 7, seq: 8, boot: 16 },
  /** Bytes before `boot`. */
  fixedBytes: 16,
  /** Times begin at a multiple of this. */
  alignment: 8,
  /** Bytes of `boot` in UTF-8. */
  maxBootBytes: 255,
  channels: 6,
} as const;

/** Where the parts of one packed message are; each `readPackedImuHeader` fills it anew. */
export interface PackedImuHeader {
  /** Number of samples, 1 to 1,000. */
  count: number;
  /** As received: it may be no safe integer of at least 0. */
  seq: number;
  /** Bytes of `boot` from offset 16; -1 when the message has none. */
  bootLength: number;
  /** Whether `timesAt` has the times as f64[count]; otherwise it has f64 t and f64 hz. */
  timePerSample: boolean;
  timesAt: number;
  /** Six columns of f32[count], ax ay az gx gy gz, one behind the other. */
  columnsAt: number;
}

export interface PackedImuProblem {
  readonly code: DeadLetterCode;
  readonly message: string;
}

export function newPackedImuHeader(): PackedImuHeader {
  return { count: 0, seq: 0, bootLength: -1, timePerSample: false, timesAt: 0, columnsAt: 0 };
}

/**
 * Finds the parts of a packed message and checks its layout: after `null`, every part lies within the bytes. The caller
 * checks the values (seq, boot's UTF-8, times, ranges). Allocates only to report a problem.
 */
export function readPackedImuHeader(view: DataView, header: PackedImuHeader): PackedImuProblem | null {
  const { offsets, flags, fixedBytes } = packedImu;
  const size = view.byteLength;
  if (size < fixedBytes)
    return invalid(`${size} bytes are fewer than the ${fixedBytes} that every message begins with`);
  if (view.getUint16(offsets.magic, true) !== packedImu.magic)
    return invalid(begins(new Uint8Array(view.buffer, view.byteOffset, size)));
  if (view.getUint8(offsets.version) !== packedImu.version)
    return invalid(`its version is ${view.getUint8(offsets.version)}; ${packedImu.version} is known`);
  const flagBits = view.getUint8(offsets.flags);
  if ((flagBits & ~(flags.timePerSample | flags.boot)) !== 0)
    return invalid(`its flags are ${hex(flagBits)}; only bits 0 and 1 have a meaning`);
  if (view.getUint8(offsets.reserved) !== 0)
    return invalid(`its reserved byte is ${hex(view.getUint8(offsets.reserved))}, not 00`);
  const count = view.getUint16(offsets.count, true);
  if (count > imuLimits.samples)
    return {
      code: "too-many-samples",
      message: `the message has ${count} samples; at most ${imuLimits.samples} are allowed`,
    };
  if (count === 0) return { code: "invalid-message", message: "the message has no samples; at least 1 is needed" };
  const bootBytes = view.getUint8(offsets.bootLength);
  const hasBoot = (flagBits & flags.boot) !== 0;
  if (!hasBoot && bootBytes !== 0)
    return invalid(`its boot has ${bootBytes} bytes, but flag bit 1 says that there is none`);
  header.count = count;
  header.seq = view.getFloat64(offsets.seq, true);
  header.bootLength = hasBoot ? bootBytes : -1;
  header.timePerSample = (flagBits & flags.timePerSample) !== 0;
  header.timesAt = aligned(fixedBytes + bootBytes);
  header.columnsAt = header.timesAt + (header.timePerSample ? 8 * count : 16);
  const expected = header.columnsAt + 4 * packedImu.channels * count;
  if (size !== expected) return invalid(`${count} samples take ${expected} bytes; it has ${size}`);
  for (let at = fixedBytes + bootBytes; at < header.timesAt; at++)
    if (view.getUint8(at) !== 0) return invalid(`its padding at byte ${at} is ${hex(view.getUint8(at))}, not 00`);
  return null;
}

/**
 * Encodes a message. Samples are rounded to the nearest f32.
 *
 * @throws RangeError when the layout can't hold it: samples not 1 to 1,000, boot over 255 bytes of UTF-8, times that
 *   don't match.
 */
export function encodePackedImu(message: ImuMessage): Uint8Array {
  const { offsets, flags, fixedBytes } = packedImu;
  const { samples, t } = message;
  const count = samples.length;
  const boot = message.boot === undefined ? null : new TextEncoder().encode(message.boot);
  if (count < 1 || count > imuLimits.samples)
    throw new RangeError(`a packed message holds 1 to ${imuLimits.samples} samples, not ${count}`);
  if (boot !== null && boot.length > packedImu.maxBootBytes)
    throw new RangeError(
      `boot has ${boot.length} bytes of UTF-8; a packed message holds at most ${packedImu.maxBootBytes}: ` +
        "use the JSON form",
    );
  if (typeof t === "number" ? message.hz === undefined : t.length !== count || message.hz !== undefined)
    throw new RangeError("a message has either one time per sample, or the first sample's time with hz");
  const timesAt = aligned(fixedBytes + (boot?.length ?? 0));
  const columnsAt = timesAt + (typeof t === "number" ? 16 : 8 * count);
  const bytes = new Uint8Array(columnsAt + 4 * packedImu.channels * count);
  const view = new DataView(bytes.buffer);
  view.setUint16(offsets.magic, packedImu.magic, true);
  view.setUint8(offsets.version, packedImu.version);
  view.setUint8(offsets.flags, (typeof t === "number" ? 0 : flags.timePerSample) | (boot === null ? 0 : flags.boot));
  view.setUint16(offsets.count, count, true);
  view.setUint8(offsets.bootLength, boot?.length ?? 0);
  view.setFloat64(offsets.seq, message.seq, true);
  if (boot !== null) bytes.set(boot, offsets.boot);
  for (const [i, time] of (typeof t === "number" ? [t, message.hz!] : t).entries())
    view.setFloat64(timesAt + 8 * i, time, true);
  for (let channel = 0; channel < packedImu.channels; channel++) {
    for (let i = 0; i < count; i++) view.setFloat32(columnsAt + 4 * (channel * count + i), samples[i]![channel]!, true);
  }
  return bytes;
}

/**
 * Decodes a message, for clients and tests; the processor reads the columns in place. Gives the problem when the layout
 * is wrong; ranges are not checked.
 */
export function decodePackedImu(bytes: Uint8Array): ImuMessage | PackedImuProblem {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = newPackedImuHeader();
  const problem = readPackedImuHeader(view, header);
  if (problem) return problem;
  const { count, seq, bootLength, timesAt, columnsAt } = header;
  const boot = bootLength < 0 ? {} : { boot: readPackedBoot(bytes, bootLength) };
  if (boot.boot === null) return invalid("its boot is not UTF-8");
  const f64 = (i: number): number => view.getFloat64(timesAt + 8 * i, true);
  const times = header.timePerSample
    ? { t: Array.from({ length: count }, (_, i) => f64(i)) }
    : { t: f64(0), hz: f64(1) };
  const samples = Array.from(
    { length: count },
    (_, i) =>
      Array.from({ length: packedImu.channels }, (_, channel) =>
        view.getFloat32(columnsAt + 4 * (channel * count + i), true),
      ) as unknown as ImuSample,
  );
  return { seq, ...(boot as { boot?: string }), ...times, samples };
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The `boot` of a packed message whose header gave `bootLength` ≥ 0; null when it is not UTF-8: `invalid-packed`. */
export function readPackedBoot(bytes: Uint8Array, bootLength: number): string | null {
  try {
    return utf8.decode(bytes.subarray(packedImu.offsets.boot, packedImu.offsets.boot + bootLength));
  } catch {
    return null;
  }
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / packedImu.alignment) * packedImu.alignment;
}

function invalid(what: string): PackedImuProblem {
  return { code: "invalid-packed", message: `not a packed IMU message: ${what}` };
}

function begins(bytes: Uint8Array): string {
  const instead = formatInsteadOfPacked(bytes);
  return `it begins with ${firstBytes(bytes)}, ${instead ?? 'not with 4d 49 ("MI")'}`;
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}
