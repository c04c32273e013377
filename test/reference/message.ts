import type { DeadLetterCode } from "../../domain/errors.ts";
import { imuLimits, SENSOR_ID } from "../../domain/imu.ts";
import { MAX_EPOCH_MS } from "../../domain/time.ts";
import { contentTypes, headers } from "../../domain/topics.ts";
import type { LogRecord, Message } from "./log.ts";
import { unpack } from "./packed.ts";

type Fields = Record<string, unknown>;
const isNumber = (x: unknown): x is number => typeof x === "number";

/** Reads a record and validates it by the contract of its payload, field by field; gives the code of a violation. */
export function readMessage(record: LogRecord): Message | DeadLetterCode {
  if (record.key === null || !SENSOR_ID.test(record.key)) return "invalid-sensor-id";
  if (record.value !== null && record.value.length > imuLimits.payloadBytes) return "payload-too-large";
  const contentType = (record.headers[headers.contentType] || contentTypes.json).split(";")[0]!.trim().toLowerCase();
  const parsed = parse(contentType, record.value ?? new Uint8Array());
  if (typeof parsed === "string") return parsed;
  return shapeProblem(parsed) ?? rangeProblem(parsed) ?? message(record.key, parsed);
}

function parse(contentType: string, value: Uint8Array): Fields | DeadLetterCode {
  if (contentType === contentTypes.imuPacked) return unpack(value) ?? "invalid-packed";
  if (contentType !== contentTypes.json) return "unknown-content-type";
  try {
    const parsed: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(value));
    return parsed === null || typeof parsed !== "object" || Array.isArray(parsed)
      ? "invalid-message"
      : (parsed as Fields);
  } catch {
    return "invalid-json";
  }
}

function shapeProblem(fields: Fields): DeadLetterCode | undefined {
  const { seq, boot, t, hz, samples } = fields;
  if (!isNumber(seq) || !Number.isInteger(seq)) return "invalid-message";
  if (boot !== undefined && (typeof boot !== "string" || Array.from(boot).length > imuLimits.bootLength))
    return "invalid-message";
  if (!Array.isArray(samples) || samples.length === 0) return "invalid-message";
  if (samples.length > imuLimits.samples) return "too-many-samples";
  if (!samples.every((row) => Array.isArray(row) && row.length === 6 && row.every(isNumber))) return "invalid-message";
  if (Array.isArray(t)) {
    if (hz !== undefined || t.length !== samples.length || !t.every(isNumber)) return "invalid-message";
    if (t.some((time, i) => i > 0 && time < t[i - 1])) return "invalid-message";
    return undefined;
  }
  return isNumber(t) && isNumber(hz) ? undefined : "invalid-message";
}

function rangeProblem(fields: Fields): DeadLetterCode | undefined {
  const { seq, hz, samples } = fields as { seq: number; hz?: number; samples: number[][] };
  if (seq < 0 || seq > Number.MAX_SAFE_INTEGER) return "out-of-range";
  if (hz !== undefined && !(hz > 0 && hz <= imuLimits.hz)) return "out-of-range";
  if (times(fields).some((t) => !(Math.abs(t) <= MAX_EPOCH_MS))) return "out-of-range";
  const tooLarge = (row: number[]): boolean =>
    row.some((x, i) => !(Math.abs(x) <= (i < 3 ? imuLimits.acceleration : imuLimits.angularRate)));
  return samples.some(tooLarge) ? "out-of-range" : undefined;
}

function times(fields: Fields): number[] {
  const { t, hz, samples } = fields as { t: number | number[]; hz: number; samples: unknown[] };
  return Array.isArray(t) ? t : samples.map((_, i) => t + (i * 1000) / hz);
}

function message(sensorId: string, fields: Fields): Message {
  return {
    sensorId,
    seq: fields["seq"] as number,
    boot: fields["boot"] as string | undefined,
    t: times(fields),
    samples: fields["samples"] as number[][],
  };
}
