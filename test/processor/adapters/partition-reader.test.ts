import { expect, test } from "@jest/globals";
import { LogRecord } from "../../../adapters/record-batches.ts";
import { MillraceError } from "../../../domain/errors.ts";
import { PartitionReader, PREFETCH_BYTES } from "../../../processor/adapters/partition-reader.ts";

const recordAt = (offset: number): LogRecord => new LogRecord(0, offset, 0, Buffer.alloc(1), -1, -1, -1, -1, 0, 0);

function readerAt(offset: number): PartitionReader {
  const reader = new PartitionReader({
    partition: 0,
    bounds: () => Promise.resolve({ earliest: 0, latest: 10 }),
    onRoom: () => undefined,
    onClose: () => undefined,
  });
  reader.seek(offset);
  return reader;
}

test("of two brokers that answer to the same position, the old leader and the new one, the second is too late", () => {
  const reader = readerAt(3);
  const asked = reader.position;
  expect(reader.isAt(asked)).toBe(true);
  reader.deliver([recordAt(3)], 4, 10);
  expect(reader.isAt(asked)).toBe(false);
});

test("an answer to what was asked for before a seek is too late, also when the seek led to the same offset", () => {
  const reader = readerAt(3);
  const asked = reader.position;
  reader.seek(3);
  expect(reader.isAt(asked)).toBe(false);
});

test("what was fetched before a batch that can't be decoded is read, and then the error comes, each time", async () => {
  const reader = readerAt(3);
  reader.deliver([recordAt(3)], 4, 10);
  reader.fail(new MillraceError("input-undecodable", "the batch at offset 4"));
  expect(await reader.read(0)).toHaveLength(1);
  for (let i = 0; i < 2; i++) await expect(reader.read(0)).rejects.toThrow("the batch at offset 4");
  expect(reader.hasRoom).toBe(false);
  expect(reader.lag()).toBe(6);
});

test("no more is fetched while half a megabyte waits, in headers as in values", async () => {
  let rooms = 0;
  const reader = new PartitionReader({
    partition: 0,
    bounds: () => Promise.resolve({ earliest: 0, latest: 10 }),
    onRoom: () => rooms++,
    onClose: () => undefined,
  });
  reader.seek(0);
  const bytes = Buffer.alloc(PREFETCH_BYTES / 2);
  const withHeaders = (offset: number): LogRecord =>
    new LogRecord(0, offset, 0, bytes, -1, -1, -1, -1, 0, bytes.length);
  reader.deliver([withHeaders(0)], 1, 10);
  expect(reader.hasRoom).toBe(true);
  reader.deliver([withHeaders(1)], 2, 10);
  expect(reader.hasRoom).toBe(false);
  const before = rooms;
  expect(await reader.read(0)).toHaveLength(2);
  expect(reader.hasRoom).toBe(true);
  expect(rooms).toBeGreaterThan(before);
});
