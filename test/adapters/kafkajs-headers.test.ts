import { createRequire } from "node:module";
import { expect, test } from "@jest/globals";
import { crc32c } from "@node-rs/crc32";
import { headersInOrder } from "../../adapters/kafkajs-headers.ts";
import { decodeRecordBatches } from "../../adapters/record-batches.ts";

const load = createRequire(import.meta.url);
const Decoder = load("kafkajs/src/protocol/decoder.js") as new (bytes: Buffer) => object;
const decodeRecord = load("kafkajs/src/protocol/recordBatch/record/v0/decoder.js") as (
  decoder: object,
  batch: object,
) => { readonly key: Buffer | null; readonly headers: object };

/** A zigzag varint of one byte: -64 to 63. */
const varint = (value: number): number => ((value << 1) ^ (value >> 31)) & 0xff;
const field = (bytes: Buffer | null): Buffer =>
  bytes === null ? Buffer.from([varint(-1)]) : Buffer.concat([Buffer.from([varint(bytes.length)]), bytes]);
const headers: [string, Buffer | null][] = [
  ["b", Buffer.from("1")],
  ["7", Buffer.from([0xff])],
  ["b", null],
  ["a", Buffer.alloc(0)],
  ["b", Buffer.from("2")],
  ["__proto__", Buffer.from("p")],
];
/** A record by https://kafka.apache.org/documentation/#record: attributes, times, key, value, headers. */
const body = Buffer.concat([
  Buffer.from([0, 0, 0]),
  field(Buffer.from("k")),
  field(null),
  Buffer.from([varint(headers.length)]),
  ...headers.flatMap(([name, value]) => [field(Buffer.from(name)), field(value)]),
]);

test("kafkajs gives headers in the order of the log, repeated and null ones included", () => {
  const record = decodeRecord(new Decoder(body), { firstOffset: "0", firstTimestamp: "0" });
  expect(record.key).toEqual(Buffer.from("k"));
  expect(headersInOrder(record.headers)).toEqual(headers);
  expect(record.headers).toMatchObject({ "7": Buffer.from([0xff]), a: Buffer.alloc(0) });
  expect(headersInOrder(undefined)).toEqual([]);
});

test("the processor reads the same headers, and as text the last of each name", () => {
  const batch = Buffer.concat([Buffer.alloc(61), Buffer.from([varint(body.length)]), body]);
  batch.writeInt32BE(batch.length - 12, 8);
  batch[16] = 2;
  batch.writeInt32BE(1, 57);
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
  const [record] = decodeRecordBatches(0, 0, batch, []).records;
  expect(record!.recordHeaders).toEqual(headers);
  expect(Object.entries(record!.headers)).toEqual([
    ["7", "\ufffd"],
    ["a", ""],
    ["b", "2"],
    ["__proto__", "p"],
  ]);
});
