import { createRequire } from "node:module";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { encodeRecordBatch } from "../../../processor/adapters/encode-record-batch.ts";
import { inSends } from "../../../processor/adapters/output-sends.ts";
import { JsonOutput } from "../../../processor/runtime/json-output.ts";

// kafkajs' own decoder: an independent implementation.
const load = createRequire(import.meta.url);
const Decoder = load("kafkajs/src/protocol/decoder.js") as new (bytes: Buffer) => object;
const decode = load("kafkajs/src/protocol/recordBatch/v0/decoder.js") as (decoder: object) => Promise<{
  readonly lastOffsetDelta: number;
  readonly producerId: string;
  readonly producerEpoch: number;
  readonly firstSequence: number;
  readonly inTransaction: boolean;
  readonly records: readonly {
    readonly offset: string;
    readonly timestamp: string;
    readonly key: Buffer | null;
    readonly value: Buffer | null;
    readonly headers: Record<string, Buffer>;
  }[];
}>;

describe("an encoded record batch", () => {
  const field = fc.option(fc.oneof(fc.uint8Array({ maxLength: 20_000 }), fc.uint8Array({ maxLength: 100 })));
  const header = fc.string({ maxLength: 100, unit: "grapheme" });
  const output = fc.record({
    topic: fc.constant("t"),
    key: fc.oneof(field, fc.string({ unit: "grapheme" })),
    value: field,
    headers: fc.dictionary(
      fc.string({ minLength: 1, maxLength: 20 }).filter((name) => !(name in {})),
      header,
      { noNullPrototype: true },
    ),
    scored: fc.constant(false),
  });

  test("is decoded by kafkajs to the outputs that were encoded", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(output, { minLength: 1, maxLength: 200 }), async (drawn) => {
        // Every third output has the headers of the one before it, as outputs of one message do.
        const outputs = drawn.map((one, i) => {
          const { topic, key, value, headers } = i % 3 === 2 ? { ...one, headers: drawn[i - 1]!.headers } : one;
          if (i % 2 === 0 || typeof key !== "string" || value === null) return { topic, key, value, headers };
          const memory = Buffer.concat([Buffer.from("before"), value, Buffer.from("behind")]);
          return new JsonOutput(topic, key, headers, memory, 6, 6 + value.length);
        });
        const bytes = encodeRecordBatch(outputs, {
          producerId: 8_589_934_593n,
          producerEpoch: 7,
          firstSequence: 123_456,
          timestamp: 1_657_533_977_900,
        });
        const batch = await decode(new Decoder(bytes));
        expect(batch).toMatchObject({
          lastOffsetDelta: outputs.length - 1,
          producerId: "8589934593",
          producerEpoch: 7,
          firstSequence: 123_456,
          inTransaction: true,
        });
        expect(
          batch.records.map(({ offset, timestamp, key, value, headers }) => ({
            offset,
            timestamp,
            key,
            value,
            headers,
          })),
        ).toEqual(
          outputs.map(({ key, value, headers }, i) => ({
            offset: String(i),
            timestamp: "1657533977900",
            key: key === null ? null : Buffer.from(key as string),
            value: value && Buffer.from(value),
            headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)])),
          })),
        );
      }),
      { numRuns: 50 },
    );
  });
});

test("the sends of a batch of outputs keep the order of each topic and stay below a megabyte per topic", () => {
  const outputs = Array.from({ length: 100 }, (_, i) => ({
    topic: i % 3 === 0 ? "a" : "b",
    key: "k",
    value: Buffer.alloc(i % 7 === 0 ? 400_000 : 10, i),
    headers: {},
  }));
  const sends = inSends(outputs);
  for (const topic of ["a", "b"]) {
    expect(sends.flatMap((byTopic) => byTopic.get(topic) ?? [])).toEqual(
      outputs.filter((output) => output.topic === topic),
    );
    for (const byTopic of sends)
      expect((byTopic.get(topic) ?? []).reduce((sum, { value }) => sum + (value?.length ?? 0), 0)).toBeLessThan(
        1_000_000,
      );
  }
});
