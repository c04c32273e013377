import { deliveryLimits } from "../../domain/delivery-processors.ts";
import { constraintError } from "../aws/json-protocol.ts";
import { ServiceError } from "../aws/service-error.ts";

const invalidArgument = (message: string): ServiceError => new ServiceError("InvalidArgumentException", 400, message);
export const unavailable = (message: string, cause?: unknown): ServiceError =>
  new ServiceError("ServiceUnavailableException", 500, message, { cause });
export const unknownStream = (name: unknown): ServiceError =>
  new ServiceError("ResourceNotFoundException", 400, `Firehose ${String(name)} not found under account 000000000000.`);

/**
 * The data of a PutRecordBatch.
 *
 * @throws ServiceError when the service refuses the whole call
 */
export function batchData(records: unknown): Uint8Array[] {
  if (!Array.isArray(records)) throw constraintError("records", "not be null");
  if (records.length < 1) throw constraintError("records", "have length greater than or equal to 1");
  if (records.length > deliveryLimits.callRecords)
    throw constraintError("records", `have length less than or equal to ${deliveryLimits.callRecords}`);
  const data = records.map((record, i) => recordData(record, `records.${i + 1}.member`));
  if (data.reduce((sum, { length }) => sum + length, 0) > deliveryLimits.callBytes)
    throw invalidArgument("Records size exceeds 4 MB limit");
  return data;
}

/**
 * The data of one record.
 *
 * @param where Name of the record in messages, such as `records.1.member`.
 * @throws ServiceError when the service refuses the record
 */
export function recordData(record: unknown, where: string): Uint8Array {
  const data = (record as { Data?: unknown } | null | undefined)?.Data;
  if (data === undefined || data === null) throw constraintError(`${where}.data`, "not be null");
  const bytes = typeof data === "string" ? decodeBase64(data) : null;
  if (bytes === null) throw new ServiceError("SerializationException", 400, `${where}.data is not base64`);
  if (bytes.length > deliveryLimits.recordBytes)
    throw constraintError(`${where}.data`, `have length less than or equal to ${deliveryLimits.recordBytes}`);
  return bytes;
}

/** The bytes of a text of base64 (RFC 4648, with padding); null for another text. */
function decodeBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, "base64");
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  // Node.js skips what is no base64, and also takes - and _.
  const isWhole = text.length % 4 === 0 && bytes.length === (text.length / 4) * 3 - padding;
  if (!isWhole || text.includes("-") || text.includes("_")) return null;
  // The bits that padding leaves over are zero.
  const last = bytes.subarray(Math.floor((bytes.length - 1) / 3) * 3);
  return text.endsWith(last.toString("base64")) ? bytes : null;
}
