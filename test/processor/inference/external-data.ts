import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Change } from "./model-folder.ts";

export const DATA_FILE = "model.onnx.data";

/** Moves a model's large tensors into a file beside it, as the exporter of PyTorch does. */
export const withExternalData: Change = (path, manifest) => {
  const data: Buffer[] = [];
  const model = edit(readFileSync(join(path, manifest.file)), 7, (graph) =>
    edit(graph, 5, (tensor) => moveOut(tensor, data)),
  );
  writeFileSync(join(path, manifest.file), model);
  writeFileSync(join(path, DATA_FILE), Buffer.concat(data));
  const sha256 = hashOf([
    [manifest.file, model],
    [DATA_FILE, Buffer.concat(data)],
  ]);
  writeFileSync(join(path, "manifest.json"), JSON.stringify({ ...manifest, sha256 }));
};

/** `sha256sum FILE… | sha256sum` */
function hashOf(files: readonly (readonly [string, Buffer])[]): string {
  const sum = (bytes: Buffer | string): string => createHash("sha256").update(bytes).digest("hex");
  return sum(files.map(([name, bytes]) => `${sum(bytes)}  ${name}\n`).join(""));
}

/** Replaces `raw_data` (9) of over 1 KB by `external_data` (13), and sets `data_location` (14) to EXTERNAL (1). */
function moveOut(tensor: Buffer, data: Buffer[]): Buffer {
  const raw = fieldsOf(tensor).find(({ number }) => number === 9)?.content;
  if (raw === undefined || raw.length <= 1_024) return tensor;
  const offset = data.reduce((sum, { length }) => sum + length, 0);
  data.push(raw);
  const entries = Object.entries({ location: DATA_FILE, offset: `${offset}`, length: `${raw.length}` });
  const kept = fieldsOf(tensor).filter(({ number }) => number !== 9);
  return Buffer.concat([
    ...kept.map(({ whole }) => whole),
    ...entries.map(([key, value]) => bytesField(13, Buffer.concat([textField(1, key), textField(2, value)]))),
    Buffer.from([14 * 8, 1]),
  ]);
}

/** A message with each of its fields of a number changed. */
function edit(message: Buffer, wanted: number, change: (content: Buffer) => Buffer): Buffer {
  return Buffer.concat(
    fieldsOf(message).map(({ number, whole, content }) =>
      number === wanted && content !== undefined ? bytesField(number, change(content)) : whole,
    ),
  );
}

interface Field {
  readonly number: number;
  readonly whole: Buffer;
  /** Of a length-delimited field. */
  readonly content: Buffer | undefined;
}

/** The fields of a protobuf message. */
function fieldsOf(message: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++]!;
      value += (byte % 128) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const from = at;
    const tag = varint();
    const wire = tag % 8;
    if (wire === 0) varint();
    const length = wire === 2 ? varint() : wire === 1 ? 8 : wire === 5 ? 4 : 0;
    at += length;
    const content = wire === 2 ? message.subarray(at - length, at) : undefined;
    fields.push({ number: Math.floor(tag / 8), whole: message.subarray(from, at), content });
  }
  return fields;
}

function bytesField(number: number, content: Buffer): Buffer {
  return Buffer.concat([varintOf(number * 8 + 2), varintOf(content.length), content]);
}

function textField(number: number, text: string): Buffer {
  return bytesField(number, Buffer.from(text));
}

function varintOf(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    bytes.push(rest < 128 ? rest : (rest % 128) + 128);
    if (rest < 128) return Buffer.from(bytes);
  }
}
