import { createRequire } from "node:module";
import { describe, expect, test } from "@jest/globals";
import type { KafkaMessage } from "kafkajs";
import fetchRequests from "kafkajs/src/protocol/requests/fetch/index.js";
import { undecodableIn } from "../../adapters/kafkajs-fetch.ts";

// kafkajs' own encoder: an independent implementation.
const load = createRequire(import.meta.url);
const { RecordBatch } = load("kafkajs/src/protocol/recordBatch/v0/index.js") as {
  readonly RecordBatch: (options: object) => Promise<{ buffer: Buffer }>;
};
const Record = load("kafkajs/src/protocol/recordBatch/record/v0/index.js") as (options: object) => object;
const Long = load("kafkajs/src/utils/long.js") as { readonly fromValue: (value: number) => object };

async function batch(offset: number, value: string): Promise<Buffer> {
  const record = Record({ key: null, value: Buffer.from(value), headers: {}, offsetDelta: 0, timestampDelta: 0 });
  const options = { firstTimestamp: 1, maxTimestamp: 1, lastOffsetDelta: 0, records: [record] };
  return (await RecordBatch({ ...options, firstOffset: Long.fromValue(offset) })).buffer;
}

/** A batch that says to be compressed, and is not. */
async function spoiled(offset: number, codec: number): Promise<Buffer> {
  const bytes = await batch(offset, "spoiled");
  bytes.writeInt16BE(codec, 21);
  return bytes;
}

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};

/** A Fetch answer of version 11 about one topic: https://kafka.apache.org/protocol.html#The_Messages_Fetch */
function answer(partitions: readonly (readonly Buffer[])[]): Buffer {
  const parts = partitions.flatMap((batches, partition) => {
    const records = Buffer.concat(batches);
    const highWatermark = Buffer.alloc(8);
    highWatermark.writeBigInt64BE(100n);
    // error, high watermark, last stable offset, log start offset, no aborted transactions, no preferred replica
    const header = [
      int32(partition),
      Buffer.alloc(2),
      highWatermark,
      highWatermark,
      Buffer.alloc(8),
      int32(0),
      int32(-1),
    ];
    return [...header, int32(records.length), records];
  });
  const name = Buffer.from("\0\u0005topic");
  return Buffer.concat([Buffer.alloc(10), int32(1), name, int32(partitions.length), ...parts]);
}

async function decoded(partitions: readonly (readonly Buffer[])[]): Promise<(readonly KafkaMessage[])[]> {
  const options = {
    replicaId: -1,
    isolationLevel: 1,
    maxWaitTime: 1,
    minBytes: 1,
    maxBytes: 1,
    topics: [],
    rackId: "",
  };
  const { response } = fetchRequests.protocol({ version: 11 })(options);
  const { responses } = await response.decode(answer(partitions));
  return responses[0]!.partitions.map(({ messages }) => messages as unknown as KafkaMessage[]);
}

const values = (messages: readonly KafkaMessage[]): (string | null)[] =>
  messages.map(({ value }) => value?.toString() ?? null);

describe("a broker's answer with a batch that can't be decoded", () => {
  test.each([1, 2, 3, 4, 5])("gives other partitions whole, and what stands before it (codec %d)", async (codec) => {
    const [zero, one, two] = await decoded([
      [await batch(0, "a"), await batch(1, "b")],
      [await batch(7, "c"), await spoiled(8, codec), await batch(9, "never")],
      [await batch(0, "d")],
    ]);
    expect([values(zero!), values(two!)]).toEqual([["a", "b"], ["d"]]);
    expect(values(one!)).toEqual(["c", null]);
    expect(undecodableIn(zero!)).toBeNull();
    expect(undecodableIn(one!)).toMatchObject({ at: 1, error: expect.any(Error) });
    expect(one![1]!.offset).toBe("8");
  });

  test("leaves a batch that the answer has cut off to the next fetch", async () => {
    const cut = (await batch(9, "cut")).subarray(0, -1);
    const [zero] = await decoded([[await batch(8, "a"), cut], [await spoiled(0, 3)]]);
    expect(values(zero!)).toEqual(["a"]);
  });
});
