import type { z } from "zod";
import type { transformedHeader } from "./records.ts";

/**
 * Columns of numbers in packed little-endian form (content type `application/x-millrace-columns`), see
 * docs/packed-format.md: u32 magic "MRC1", u32 length of the header in bytes, the header as JSON (UTF-8), zero padding
 * to a multiple of 8 from the start, `t` as f64[count], then every other column as f32[count].
 */
export type ColumnsHeader = z.infer<typeof transformedHeader>;

export interface Columns {
  readonly header: ColumnsHeader;
  /** Epoch milliseconds. */
  readonly t: Float64Array;
  /** One array of `header.count` values per name in `header.columns`. */
  readonly values: readonly Float32Array[];
}

const MAGIC = 0x3143524d; // "MRC1" read as little-endian u32
const PREFIX = 8;
const decoder = new TextDecoder();

function bodyAt(headerBytes: number): number {
  return Math.ceil((PREFIX + headerBytes) / 8) * 8;
}

/** Encodes `rows` rows; column c of `values` starts at `c * stride`. `headerJson` is the header's JSON text. */
export function encodeColumns(
  headerJson: string,
  rows: number,
  t: Float64Array,
  values: Float64Array,
  columns: number,
  stride: number,
): Uint8Array {
  const headerBytes = Buffer.byteLength(headerJson);
  const body = bodyAt(headerBytes);
  const bytes = Buffer.allocUnsafe(body + rows * (8 + 4 * columns));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, headerBytes, true);
  bytes.write(headerJson, PREFIX);
  for (let at = PREFIX + headerBytes; at < body; at++) bytes[at] = 0;
  let at = body;
  for (let row = 0; row < rows; row++, at += 8) view.setFloat64(at, t[row]!, true);
  for (let column = 0; column < columns; column++)
    for (let i = column * stride, end = i + rows; i < end; i++, at += 4) view.setFloat32(at, values[i]!, true);
  return bytes;
}

/** @throws Error when the bytes do not follow the layout. */
export function decodeColumns(bytes: Uint8Array): Columns {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < PREFIX || view.getUint32(0, true) !== MAGIC)
    throw new Error(`not packed columns: ${bytes.length} bytes that do not begin with MRC1`);
  const headerBytes = view.getUint32(4, true);
  const body = bodyAt(headerBytes);
  if (body > bytes.length) throw new Error(`packed columns end within their header: ${bytes.length} bytes`);
  const header = JSON.parse(decoder.decode(bytes.subarray(PREFIX, PREFIX + headerBytes))) as ColumnsHeader;
  const { count, columns } = header;
  if (bytes.length !== body + count * (8 + 4 * columns.length))
    throw new Error(`packed columns of ${count} rows and ${columns.length} columns have ${bytes.length} bytes`);
  let at = body;
  const t = new Float64Array(count);
  for (let row = 0; row < count; row++, at += 8) t[row] = view.getFloat64(at, true);
  const values = columns.map(() => {
    const column = new Float32Array(count);
    for (let row = 0; row < count; row++, at += 4) column[row] = view.getFloat32(at, true);
    return column;
  });
  return { header, t, values };
}
