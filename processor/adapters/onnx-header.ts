/** Field numbers of ModelProto and OperatorSetIdProto (onnx.proto3). */
const IR_VERSION = 1;
const OPSET_IMPORT = 8;
const OPSET_DOMAIN = 1;
const OPSET_VERSION = 2;

interface Field {
  readonly number: number;
  /** The value of a varint, the content of bytes, null for fixed-size fields, which are skipped. */
  readonly value: number | Uint8Array | null;
}

/** The IR version of an ONNX model and the version of its default operator set. Null when the bytes are no model. */
export function onnxVersions(bytes: Uint8Array): { irVersion: number; opset: number } | null {
  try {
    let irVersion = 0;
    let opset = 0;
    for (const { number, value } of fields(bytes)) {
      if (number === IR_VERSION && typeof value === "number") irVersion = value;
      if (number !== OPSET_IMPORT || !(value instanceof Uint8Array)) continue;
      const inner = [...fields(value)];
      const domain = inner.find((field) => field.number === OPSET_DOMAIN)?.value;
      const version = inner.find((field) => field.number === OPSET_VERSION)?.value;
      if ((!(domain instanceof Uint8Array) || domain.length === 0) && typeof version === "number") opset = version;
    }
    return { irVersion, opset };
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** The fields of one protobuf message (Protocol Buffers encoding). @throws RangeError when the bytes end too early. */
function* fields(bytes: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 64; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined) throw new RangeError("a varint ends too early");
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError("a varint has more than ten bytes");
  };
  const skip = (count: number): number => {
    at += count;
    if (at > bytes.length) throw new RangeError("a field ends too early");
    return at - count;
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    if (tag % 8 === 0) yield { number, value: varint() };
    else if (tag % 8 === 2) {
      const length = varint();
      const from = skip(length);
      yield { number, value: bytes.subarray(from, from + length) };
    } else if (tag % 8 === 1 || tag % 8 === 5) {
      skip(tag % 8 === 1 ? 8 : 4);
      yield { number, value: null };
    } else throw new RangeError(`wire type ${tag % 8}`);
  }
}
