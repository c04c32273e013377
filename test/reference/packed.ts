import { contentTypes } from "../../domain/topics.ts";

/** The fields of a message as JSON would hold them. */
export interface Payload {
  readonly seq: number;
  readonly boot?: string | undefined;
  readonly t: readonly number[] | number;
  readonly hz?: number;
  readonly samples: readonly (readonly number[])[];
}

export const packedHeaders = { "content-type": contentTypes.imuPacked };

/** Writes a message in the packed layout of docs/packed-format.md, byte by byte. */
export function pack({ seq, boot, t, hz, samples }: Payload): Uint8Array {
  const name = Buffer.from(boot ?? "");
  const padding = Buffer.alloc((8 - (name.length % 8)) % 8);
  const flags = (typeof t === "number" ? 0 : 1) + (boot === undefined ? 0 : 2);
  const count = Buffer.alloc(2);
  count.writeUInt16LE(samples.length);
  const times = (typeof t === "number" ? [t, hz!] : t).map(f64);
  const columns = [0, 1, 2, 3, 4, 5].flatMap((channel) => samples.map((row) => f32(row[channel]!)));
  return Buffer.concat([
    Buffer.from([0x4d, 0x49, 1, flags]),
    count,
    Buffer.from([name.length, 0]),
    f64(seq),
    name,
    padding,
    ...times,
    ...columns,
  ]);
}

function f64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}
function f32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}

/** Reads the packed layout into the fields that JSON would hold; undefined where the bytes have another layout. */
export function unpack(value: Uint8Array): Record<string, unknown> | undefined {
  const bytes = Buffer.from(value);
  if (bytes.length < 16 || bytes.toString("latin1", 0, 2) !== "MI" || bytes[2] !== 1 || bytes[3]! > 3 || bytes[7] !== 0)
    return undefined;
  const [flags, count, nameLength] = [bytes[3]!, bytes.readUInt16LE(4), bytes[6]!];
  const [timePerSample, hasBoot] = [flags % 2 === 1, flags >= 2];
  if (!hasBoot && nameLength > 0) return undefined;
  const timesAt = 8 * Math.ceil((16 + nameLength) / 8);
  const columnsAt = timesAt + 8 * (timePerSample ? count : 2);
  // A wrong count is reported before a wrong length.
  if (count === 0 || count > 1000) return { seq: 0, t: [], samples: Array.from({ length: count }) };
  if (
    bytes.length !== columnsAt + 24 * count ||
    bytes.subarray(16 + nameLength, timesAt).some((padding) => padding !== 0)
  )
    return undefined;
  const name = bytes.subarray(16, 16 + nameLength);
  if (!Buffer.from(name.toString("utf8")).equals(name)) return undefined;
  const samples = Array.from({ length: count }, (_, i) =>
    [0, 1, 2, 3, 4, 5].map((channel) => bytes.readFloatLE(columnsAt + 4 * (channel * count + i))),
  );
  const times = timePerSample
    ? { t: samples.map((_, i) => bytes.readDoubleLE(timesAt + 8 * i)) }
    : { t: bytes.readDoubleLE(timesAt), hz: bytes.readDoubleLE(timesAt + 8) };
  return { seq: bytes.readDoubleLE(8), ...(hasBoot ? { boot: name.toString("utf8") } : {}), ...times, samples };
}
