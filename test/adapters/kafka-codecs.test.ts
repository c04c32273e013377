import { createHash } from "node:crypto";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "@jest/globals";
import { decompress, MAX_DECOMPRESSED_BYTES } from "../../adapters/kafka-codecs.ts";

/** What the golden bytes hold. */
const text = Buffer.from("millrace ".repeat(20));

/** Written by other libraries: python-snappy 0.7.3 (raw and xerial-framed by hand), lz4 4.4.5, zstandard 0.25, gzip. */
const golden: readonly (readonly [name: string, codec: number, hex: string])[] = [
  ["gzip", 1, "1f8b0800000000000203cbcdccc9294a4c4e55c81d3a0c00981eff85b4000000"],
  ["raw Snappy, as librdkafka writes it", 2, "b401206d696c6c7261636520fe0900fe0900aa0900"],
  [
    "Snappy in the chunks of Java clients",
    2,
    "82534e415050590000000001000000010000001164206d696c6c7261636520fe09006a0900000000105020696c" +
      "6c72616365206dfe09000d09",
  ],
  ["an LZ4 frame", 3, "04224d186840b400000000000000b7130000009f6d696c6c726163652009009350726163652000000000"],
  [
    "an LZ4 frame with checksums and without a size",
    3,
    "04224d187440bd130000009f6d696c6c72616365200900935072616365207253826f00000000d2f3b44e",
  ],
  ["zstd", 4, "28b52ffd20b4850000486d696c6c726163652001002852e508"],
];

describe("decompressing a batch", () => {
  test.each(golden)("reads %s", (_name, codec, hex) => {
    expect(decompress(codec, Buffer.from(hex, "hex")).toString()).toBe(text.toString());
  });

  test.each([1, 2, 3, 4])("names the codec %d when the bytes are not of it", (codec) => {
    const name = ["gzip", "snappy", "lz4", "zstd"][codec - 1]!;
    for (const bytes of [Buffer.from("no such bytes"), createHash("sha512").update("x").digest()])
      expect(() => decompress(codec, bytes)).toThrow(`bytes of ${name} can't be decompressed`);
  });

  test("refuses a codec that Kafka does not have", () => {
    expect(() => decompress(5, Buffer.alloc(9))).toThrow("codec 5, which Kafka does not have");
  });

  test("holds no more than the bound in memory, whatever a small batch says", () => {
    const zeros = Buffer.alloc(MAX_DECOMPRESSED_BYTES + 1);
    expect(() => decompress(1, gzipSync(zeros))).toThrow("gzip");
    expect(() => decompress(4, zstdCompressSync(zeros))).toThrow("zstd");
    // Raw Snappy begins with the length: here 2^32 − 1.
    expect(() => decompress(2, Buffer.from("ffffffff0f00", "hex"))).toThrow(`more than ${MAX_DECOMPRESSED_BYTES}`);
  });
});
