import { expect, test } from "@jest/globals";
import { sizesIn } from "../../adapters/topic-sizes.ts";

const int16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
const int32 = (value: number): Buffer => Buffer.concat([int16(value >> 16), int16(value & 65_535)]);
const int64 = (value: number): Buffer => Buffer.concat([int32(Math.floor(value / 2 ** 32)), int32(value % 2 ** 32)]);
const text = (value: string): Buffer => Buffer.concat([int16(value.length), Buffer.from(value)]);
const list = (...items: Buffer[]): Buffer => Buffer.concat([int32(items.length), ...items]);
const partition = (number: number, size: number, isFuture: 0 | 1): Buffer =>
  Buffer.concat([int32(number), int64(size), int64(0), Buffer.from([isFuture])]);
const folder = (error: number, name: string, ...topics: Buffer[]): Buffer =>
  Buffer.concat([int16(error), text(name), list(...topics)]);

test("sizes of partitions are read from an answer, of those that are being moved once", () => {
  const answer = Buffer.concat([
    int32(0),
    list(
      folder(
        0,
        "/a",
        Buffer.concat([text("t1"), list(partition(0, 5_000_000_000, 0), partition(1, 7, 0))]),
        Buffer.concat([text("t2"), list(partition(0, 9, 1))]),
      ),
      folder(56, "/broken"),
    ),
  ]);
  expect(sizesIn(answer)).toEqual(
    new Map([
      ["t1/0", 5_000_000_000],
      ["t1/1", 7],
    ]),
  );
});
