import { randomBytes } from "node:crypto";
import { expect, test } from "@jest/globals";
import { crc32c as native } from "@node-rs/crc32";
import { decompressFrameSync, uncompressSync } from "../../lambda/portable/codecs.ts";
import { crc32c } from "../../lambda/portable/crc32.ts";

test("the checksum of functions is CRC-32C", () => {
  // RFC 3720, appendix B.4, and the catalogue's check value.
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
  expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
  expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
  const bytes = randomBytes(1_000);
  expect(crc32c(bytes)).toBe(native(bytes));
});

test("a codec that functions have not is named, with what reads it", () => {
  expect(decompressFrameSync).toThrow("functions on AWS have no lz4; `npm run on-aws -- --env E dump` reads it");
  expect(uncompressSync).toThrow("no snappy");
});
