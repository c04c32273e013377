/** Field numbers of ModelProto and OperatorSetIdProto (onnx.proto3). */
const IR_VERSION = 1;
const OPSET_IMPORT = 8;
const OPSET_DOMAIN = 1;
const OPSET_VERSION = 2;

/** Where tensors are: by message, the fields that hold messages (onnx.proto3). */
const nested = {
  model: { 7: "graph", 20: "training", 25: "function" },
  graph: { 1: "node", 5: "tensor", 15: "sparse" },
  training: { 1: "graph", 2: "graph" },
  function: { 7: "node", 11: "attribute" },
  node: { 5: "attribute" },
  attribute: { 5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse" },
  sparse: { 1: "tensor", 2: "tensor" },
  tensor: { 13: "entry" },
  entry: {},
} as const satisfies Record<string, Readonly<Record<number, string>>>;
type MessageName = keyof typeof nested;
/** Field numbers of StringStringEntryProto, and the key under which `external_data` names its file. */
const ENTRY_KEY = 1;
const ENTRY_VALUE = 2;
const LOCATION = "location";

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

/**
 * The files in which an ONNX model keeps data of its tensors, wherever these are, sorted and each once. None when the
 * bytes are no model.
 */
export function externalFiles(bytes: Uint8Array): string[] {
  const found = new Set<string>();
  try {
    collectLocations("model", bytes, found);
  } catch (error) {
    if (error instanceof RangeError) return [];
    throw error;
  }
  return [...found].sort();
}

function collectLocations(message: MessageName, bytes: Uint8Array, found: Set<string>): void {
  if (message === "entry") {
    const entry = [...fields(bytes)];
    const textOf = (wanted: number): string => {
      const value = entry.find(({ number }) => number === wanted)?.value;
      return value instanceof Uint8Array ? Buffer.from(value).toString("utf8") : "";
    };
    if (textOf(ENTRY_KEY) === LOCATION) found.add(textOf(ENTRY_VALUE));
    return;
  }
  const inside: Readonly<Record<number, MessageName>> = nested[message];
  for (const { number, value } of fields(bytes)) {
    const name = inside[number];
    if (name !== undefined && value instanceof Uint8Array) collectLocations(name, value, found);
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
