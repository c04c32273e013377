import { ServiceError, validationError } from "../aws/service-error.ts";

/** Limits of the service, see "Amazon Data Firehose quota". */
export const limits = { records: 500, callBytes: 4 * 1024 * 1024, recordBytes: 1_000 * 1024 } as const;

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

export const invalidArgument = (message: string): ServiceError =>
  new ServiceError("InvalidArgumentException", 400, message);
export const unavailable = (message: string, cause?: unknown): ServiceError =>
  new ServiceError("ServiceUnavailableException", 500, message, { cause });
export const unknownStream = (name: unknown): ServiceError =>
  new ServiceError("ResourceNotFoundException", 400, `Firehose ${String(name)} not found under account 000000000000.`);

/** The body of a call. @throws ServiceError SerializationException */
export function parseBody(text: string): Record<string, unknown> {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === "object" && body !== null && !Array.isArray(body)) return body as Record<string, unknown>;
  } catch {
    /* the same answer */
  }
  throw new ServiceError("SerializationException", 400, "the body is not a JSON object");
}

/** Data of a PutRecordBatch. @throws ServiceError where the service refuses the whole call */
export function batchData(records: unknown): Uint8Array[] {
  if (!Array.isArray(records))
    throw validationError("Value at 'records' failed to satisfy constraint: Member must not be null");
  if (records.length < 1)
    throw validationError(
      "Value at 'records' failed to satisfy constraint: Member must have length greater than or equal to 1",
    );
  if (records.length > limits.records)
    throw validationError(
      `Value at 'records' failed to satisfy constraint: Member must have length less than or equal to ${limits.records}`,
    );
  const data = records.map((record, i) => recordData(record, `records.${i + 1}.member`));
  if (data.reduce((sum, { length }) => sum + length, 0) > limits.callBytes)
    throw invalidArgument("Records size exceeds 4 MB limit");
  return data;
}

/** Data of one record. @throws ServiceError */
export function recordData(record: unknown, where: string): Uint8Array {
  const data = (record as { Data?: unknown } | null | undefined)?.Data;
  if (data === undefined || data === null)
    throw validationError(`Value at '${where}.data' failed to satisfy constraint: Member must not be null`);
  if (typeof data !== "string" || !BASE64.test(data))
    throw new ServiceError("SerializationException", 400, `${where}.data is not base64`);
  const bytes = Buffer.from(data, "base64");
  if (bytes.length > limits.recordBytes)
    throw validationError(
      `Value at '${where}.data' failed to satisfy constraint: Member must have length less than or equal to ${limits.recordBytes}`,
    );
  return bytes;
}
