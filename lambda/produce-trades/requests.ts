import type { TradeRecord } from "./trade-record.ts";

/** Bytes of a request, at most, a record's framing included; Kafka takes 1 MB. */
const MAX_REQUEST_BYTES = 900_000;
/** Bytes around a record in a batch, at most: lengths, timestamps, and the names of three headers. */
const FRAMING_BYTES = 200;

/** The places of records in a list that go to one partition together. */
export interface AppendRequest {
  readonly partition: number;
  readonly indexes: readonly number[];
}

/**
 * The requests that append records, each to one partition, in the records' order. A record that is larger than a
 * request may be has one of its own, so that no other is refused with it.
 */
export function appendRequests(
  records: readonly TradeRecord[],
  partitionOf: (record: TradeRecord) => number,
): AppendRequest[] {
  const open = new Map<number, { indexes: number[]; bytes: number }>();
  const requests: AppendRequest[] = [];
  for (const [index, record] of records.entries()) {
    const partition = partitionOf(record);
    const bytes = sizeOf(record);
    let request = open.get(partition);
    if (!request || request.bytes + bytes > MAX_REQUEST_BYTES) {
      open.set(partition, (request = { indexes: [], bytes: 0 }));
      requests.push({ partition, indexes: request.indexes });
    }
    request.indexes.push(index);
    request.bytes += bytes;
  }
  return requests;
}

function sizeOf({ key, value, headers }: TradeRecord): number {
  const texts = [key ?? "", value, ...Object.values(headers)];
  return FRAMING_BYTES + texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}
