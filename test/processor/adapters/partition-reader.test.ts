import { expect, test } from "@jest/globals";
import { PartitionReader, PREFETCH_BYTES } from "../../../processor/adapters/partition-reader.ts";
import { LogRecord } from "../../../processor/adapters/record-batches.ts";

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
  const withHeaders = (offset: number): LogRecord => new LogRecord(0, offset, 0, null, null, bytes, 0, bytes.length);
  reader.deliver([withHeaders(0)], 1, 10);
  expect(reader.hasRoom).toBe(true);
  reader.deliver([withHeaders(1)], 2, 10);
  expect(reader.hasRoom).toBe(false);
  const before = rooms;
  expect(await reader.read(0)).toHaveLength(2);
  expect(reader.hasRoom).toBe(true);
  expect(rooms).toBeGreaterThan(before);
});
