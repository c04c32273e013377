import { deliveryLimits, type DeliveryProcessor } from "../../domain/delivery-processors.ts";

const LINE_FEED = 0x0a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/**
 * Returns a function that cuts a record into the data of its rows, as a stream with these processors does. Without
 * `RecordDeAggregation` a record is one row. With its type JSON, a record has objects on a line each, or one after
 * another on a line. One that has none, or more than `recordRows`, stays whole.
 *
 * @throws Error when it has another type
 */
export function deaggregation(processors: readonly DeliveryProcessor[]): (data: Uint8Array) => Uint8Array[] {
  const processor = processors.find(({ type }) => type === "RecordDeAggregation");
  if (processor === undefined) return (data) => [data];
  const type = processor.parameters.find(({ parameterName }) => parameterName === "SubRecordType")?.parameterValue;
  if (type !== "JSON") throw new Error(`RecordDeAggregation: expected SubRecordType JSON, received ${type}`);
  return (data) => {
    const rows = lines(data).flatMap(objects);
    return rows.length === 0 || rows.length > deliveryLimits.recordRows ? [data] : rows;
  };
}

/** Lines that are not empty. */
function lines(data: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let from = 0; from < data.length;) {
    const end = data.indexOf(LINE_FEED, from);
    const to = end === -1 ? data.length : end;
    if (to > from) found.push(data.subarray(from, to));
    from = to + 1;
  }
  return found;
}

/** The objects of a line that stand one behind the other; a line where no object follows another is one piece. */
function objects(line: Uint8Array): Uint8Array[] {
  if (!Buffer.from(line.buffer, line.byteOffset, line.byteLength).includes("}{")) return [line];
  const found: Uint8Array[] = [];
  let from = 0;
  let depth = 0;
  let inText = false;
  for (let i = 0; i < line.length; i++) {
    const byte = line[i];
    if (inText) {
      if (byte === BACKSLASH) i++;
      else if (byte === QUOTE) inText = false;
    } else if (byte === QUOTE) inText = true;
    else if (byte === OPEN) depth++;
    else if (byte === CLOSE && --depth === 0) {
      found.push(line.subarray(from, i + 1));
      from = i + 1;
    }
  }
  return from < line.length ? [...found, line.subarray(from)] : found;
}
