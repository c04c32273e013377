import { createRequire } from "node:module";
import { describe, expect, test } from "@jest/globals";
import { crc32c } from "@node-rs/crc32";
import fc from "fast-check";
import { decodeRecordBatches } from "../../adapters/record-batches.ts";

// kafkajs' own encoder: an independent implementation.
const load = createRequire(import.meta.url);
const { RecordBatch } = load("kafkajs/src/protocol/recordBatch/v0/index.js") as {
  readonly RecordBatch: (options: object) => Promise<{ buffer: Buffer }>;
};
const Record = load("kafkajs/src/protocol/recordBatch/record/v0/index.js") as (options: object) => object;
const Long = load("kafkajs/src/utils/long.js") as { readonly fromValue: (value: number) => object };

interface Given {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly timestamp: number;
  readonly headers: { [name: string]: string };
}

async function batch(firstOffset: number, given: readonly Given[], options: object = {}): Promise<Buffer> {
  const firstTimestamp = given[0]!.timestamp;
  const records = given.map(({ key, value, timestamp, headers }, i) =>
    Record({ key, value, headers, offsetDelta: i, timestampDelta: timestamp - firstTimestamp }),
  );
  return (
    await RecordBatch({
      firstOffset: Long.fromValue(firstOffset),
      firstTimestamp,
      maxTimestamp: Math.max(...given.map(({ timestamp }) => timestamp)),
      lastOffsetDelta: given.length - 1,
      records,
      ...options,
    })
  ).buffer;
}

/** Writes the checksum of a batch that was changed. */
function seal(bytes: Buffer): Buffer {
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17);
  return bytes;
}

const plain = (value: string): Given => ({
  key: Buffer.from("k"),
  value: Buffer.from(value),
  timestamp: 1_000,
  headers: {},
});
const values = ({ records }: ReturnType<typeof decodeRecordBatches>): string[] =>
  records.map(({ value }) => Buffer.from(value!).toString());
/** A control batch that ends a transaction of `producerId`; type 0 aborts, 1 commits. */
const marker = (offset: number, producerId: number, type: 0 | 1): Promise<Buffer> =>
  batch(offset, [{ ...plain(""), key: Buffer.from([0, 0, 0, type]), value: Buffer.alloc(6) }], {
    producerId: Long.fromValue(producerId),
    transactional: true,
  }).then((bytes) => {
    bytes.writeInt16BE(0x30, 21);
    return seal(bytes);
  });
const transactional = (producerId: number): object => ({ producerId: Long.fromValue(producerId), transactional: true });

describe("decoding record batches", () => {
  test("gives the keys, values, times and headers that kafkajs encoded", async () => {
    const bytes = fc.option(fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)));
    const record = fc.record({
      key: bytes,
      value: bytes,
      timestamp: fc.integer({ min: 0, max: 4_102_444_800_000 }),
      headers: fc.dictionary(
        fc.string({ minLength: 1, maxLength: 20 }).filter((name) => !(name in {})),
        fc.string({ maxLength: 200 }),
        { noNullPrototype: true },
      ),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 0, max: 2 ** 50 }),
        fc.constantFrom(0, 1),
        async (given, offset, compression) => {
          const { records, nextOffset } = decodeRecordBatches(
            3,
            offset,
            await batch(offset, given, { compression }),
            [],
          );
          expect(nextOffset).toBe(offset + given.length);
          expect(
            records.map(({ partition, offset: at, timestamp, key, value, headers }) => ({
              partition,
              at,
              timestamp,
              key: key && Buffer.from(key),
              value: value && Buffer.from(value),
              headers: { ...headers },
            })),
          ).toEqual(
            given.map((each, i) => ({
              partition: 3,
              at: offset + i,
              timestamp: each.timestamp,
              key: each.key,
              value: each.value,
              headers: { ...each.headers },
            })),
          );
        },
      ),
    );
  });

  test("gives the broker's time where the topic stamps records on arrival", async () => {
    const bytes = await batch(0, [plain("a"), { ...plain("b"), timestamp: 5_000 }]);
    bytes.writeInt16BE(0x08, 21);
    seal(bytes);
    expect(decodeRecordBatches(0, 0, bytes, []).records.map(({ timestamp }) => timestamp)).toEqual([5_000, 5_000]);
  });

  test("leaves out records below the requested offset", async () => {
    const bytes = await batch(10, [plain("a"), plain("b"), plain("c")]);
    expect(values(decodeRecordBatches(0, 12, bytes, []))).toEqual(["c"]);
  });

  test("leaves a batch that the response cuts off to the next fetch", async () => {
    const [first, second] = [await batch(0, [plain("a")]), await batch(1, [plain("b")])];
    for (const cut of [1, 20, 60, second.length - 1]) {
      const decoded = decodeRecordBatches(0, 0, Buffer.concat([first, second.subarray(0, cut)]), []);
      expect([values(decoded), decoded.nextOffset]).toEqual([["a"], 1]);
    }
  });

  test("leaves out aborted and control records, and moves past them", async () => {
    const bytes = Buffer.concat([
      await batch(0, [plain("open 7")], transactional(7)),
      await batch(1, [plain("kept 8")], transactional(8)),
      await batch(2, [plain("outside")]),
      await marker(3, 7, 0),
      await batch(4, [plain("next 7")], transactional(7)),
      await marker(5, 8, 1),
      await marker(6, 7, 1),
    ]);
    const decoded = decodeRecordBatches(0, 0, bytes, [{ producerId: 7n, firstOffset: 0 }]);
    expect(values(decoded)).toEqual(["kept 8", "outside", "next 7"]);
    expect(decoded.nextOffset).toBe(7);
  });

  test.each([
    [
      "a codec that Kafka does not have",
      (bytes: Buffer) => seal(write(bytes, (copy) => copy.writeInt16BE(5, 21))),
      "codec 5",
    ],
    [
      "bytes that are not of the codec",
      (bytes: Buffer) => seal(write(bytes, (copy) => copy.writeInt16BE(3, 21))),
      "of lz4",
    ],
    ["another checksum", (bytes: Buffer) => write(bytes, (copy) => (copy[62]! ^= 1)), "checksum"],
    ["an old format", (bytes: Buffer) => write(bytes, (copy) => (copy[16] = 1)), "format 1"],
    [
      "a length below that of a header",
      (bytes: Buffer) => write(bytes, (copy) => copy.writeInt32BE(-1, 8)),
      "-1 bytes",
    ],
    [
      "more records than it has",
      (bytes: Buffer) => seal(write(bytes, (copy) => copy.writeInt32BE(9, 57))),
      "record 1 of 9",
    ],
  ])("gives what stands before a batch of %s, and says why nothing follows", async (_what, spoil, reason) => {
    const batches = [await batch(0, [plain("a")]), spoil(await batch(1, [plain("b")])), await batch(2, [plain("c")])];
    const decoded = decodeRecordBatches(0, 0, Buffer.concat(batches), []);
    expect(values(decoded)).toEqual(["a"]);
    expect(decoded.nextOffset).toBe(1);
    expect(decoded.undecodable?.message).toContain(reason);
  });

  test("says so when the first batch is longer than what came: a broker cuts off no first batch", async () => {
    const bytes = await batch(0, [plain("a")]);
    const decoded = decodeRecordBatches(0, 0, bytes.subarray(0, -1), []);
    expect(decoded).toMatchObject({ records: [], nextOffset: 0, undecodable: expect.any(Error) });
  });
});

function write(bytes: Buffer, change: (copy: Buffer) => unknown): Buffer {
  const copy = Buffer.from(bytes);
  change(copy);
  return copy;
}
