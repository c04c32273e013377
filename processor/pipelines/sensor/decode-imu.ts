import { codePoints, imuChannels, imuLimits, SENSOR_ID } from "../../../domain/imu.ts";
import { MAX_EPOCH_MS, unitOf } from "../../../domain/time.ts";
import { contentTypes, headers as headerNames } from "../../../domain/topics.ts";
import type { SequencedMessage } from "../../operators/sequenced-message.ts";
import { MAX_ROWS, type Rejection } from "../../runtime/message.ts";
import { described, written } from "../../runtime/received.ts";
import { decodePackedImu } from "./decode-packed-imu.ts";
import { readImuJson } from "./read-imu-json.ts";
import type { SampleTimes } from "./sample-times.ts";
import { scanImuJson } from "./scan-imu-json.ts";

/** Columns of a decoded IMU message: ax ay az gx gy gz accMag gyroMag. */
export const IMU_WIDTH = 8;

/** Epoch milliseconds of the years 2001 to 2286, by which a time in another unit is recognised. */
const likely = { from: 1e12, to: 1e13 };
const acceleration = { limit: imuLimits.acceleration, unit: "m/s² (1 g is 9.80665 m/s²)" };
const angularRate = { limit: imuLimits.angularRate, unit: "rad/s (1 rad/s is 57.3 deg/s)" };

/** Decodes and validates an IMU message in either form. It takes all of a message or nothing. */
export function decodeImu(
  key: string,
  value: Uint8Array,
  headers: Readonly<Record<string, string>>,
  message: SequencedMessage,
): Rejection | null {
  if (!SENSOR_ID.test(key)) {
    const received = JSON.stringify(key.slice(0, 200));
    const problem = `the key ${received} is no sensor id: 1 to 128 of A-Z a-z 0-9 : _ -`;
    return { code: "invalid-sensor-id", message: problem };
  }
  if (value.length > imuLimits.payloadBytes) {
    const problem = `the payload has ${value.length} bytes; at most ${imuLimits.payloadBytes} are allowed`;
    return { code: "payload-too-large", message: problem };
  }
  const form = formOf(headers[headerNames.contentType]);
  const times = readForm(form, value, message);
  if ("code" in times) return times;
  const json = form === contentTypes.json ? value : null;
  const problem = identityProblem(message, json) ?? spreadTimes(times, message, json) ?? rangeProblem(message, json);
  if (problem) return problem;
  message.key = key;
  addMagnitudes(message);
  return null;
}

/** The form that a content type names: JSON where there is none, or an empty one, as MQTT allows. */
function formOf(contentType: string | undefined): string {
  if (!contentType || contentType === contentTypes.json) return contentTypes.json;
  return contentType.split(";")[0]!.trim().toLowerCase();
}

function readForm(form: string, value: Uint8Array, message: SequencedMessage): Rejection | SampleTimes {
  if (form === contentTypes.json) return scanImuJson(value, message) ?? readImuJson(value, message);
  if (form === contentTypes.imuPacked) return decodePackedImu(value, message);
  return {
    code: "unknown-content-type",
    message: `content-type is ${described(form)}; use ${contentTypes.json} or ${contentTypes.imuPacked}`,
  };
}

/**
 * The times of the samples: tᵢ = t + (i × 1000) / hz, in doubles; given times must not decrease.
 *
 * @param json The payload if it is JSON: messages quote its numbers. Likewise below.
 */
function spreadTimes(times: SampleTimes, message: SequencedMessage, json: Uint8Array | null): Rejection | null {
  const { t, rows } = message;
  if (times.times === 0) {
    const { t: first, hz } = times;
    if (!(hz > 0 && hz <= imuLimits.hz))
      return outOfRange(`hz is ${written(json, hz, "hz")}; it must be above 0 and at most ${imuLimits.hz}`);
    for (let i = 0; i < rows; i++) t[i] = first + (i * 1000) / hz;
    if (!isTime(first)) return timeProblem(first, `t is ${written(json, first, "t")}`);
    const last = message.lastTime;
    return isTime(last) ? null : timeProblem(last, `the last sample's time by t and hz is ${last}`);
  }
  for (let i = 1; i < rows; i++) {
    if (t[i]! >= t[i - 1]!) continue;
    const [before, after] = [written(json, t[i - 1]!, "t", i - 1), written(json, t[i]!, "t", i)];
    if (t[i]! < t[i - 1]!)
      return { code: "invalid-message", message: `t decreases at sample ${i}: ${after} after ${before}` };
    return timeProblem(NaN, `t is ${after} at sample ${i}, after ${before}`);
  }
  if (isTime(t[0]!) && isTime(t[rows - 1]!)) return null;
  const i = isTime(t[0]!) ? rows - 1 : 0;
  return timeProblem(t[i]!, `t is ${written(json, t[i]!, "t", i)} at sample ${i}`);
}

function isTime(time: number): boolean {
  return Math.abs(time) <= MAX_EPOCH_MS;
}

function timeProblem(time: number, received: string): Rejection {
  const unit = unitOf(time, likely.from, likely.to);
  const advice = unit === null ? "" : `: it would fit in ${unit}`;
  return outOfRange(`${received}; epoch milliseconds up to ${MAX_EPOCH_MS} are allowed${advice}`);
}

function outOfRange(message: string): Rejection {
  return { code: "out-of-range", message };
}

function identityProblem({ seq, boot }: SequencedMessage, json: Uint8Array | null): Rejection | null {
  if (!Number.isInteger(seq))
    return { code: "invalid-message", message: `seq is ${written(json, seq, "seq")}; an integer is expected` };
  if (boot !== null && boot.length > imuLimits.bootLength) {
    const length = codePoints(boot);
    const problem = `boot has ${length} characters; at most ${imuLimits.bootLength} are allowed`;
    if (length > imuLimits.bootLength) return { code: "invalid-message", message: problem };
  }
  return null;
}

function rangeProblem(message: SequencedMessage, json: Uint8Array | null): Rejection | null {
  const { seq, rows, columns } = message;
  if (seq < 0 || seq > Number.MAX_SAFE_INTEGER)
    return outOfRange(`seq is ${written(json, seq, "seq")}; it must be from 0 to ${Number.MAX_SAFE_INTEGER}`);
  for (let channel = 0; channel < imuChannels.length; channel++) {
    const limit = channel < 3 ? imuLimits.acceleration : imuLimits.angularRate;
    const from = channel * MAX_ROWS;
    for (let i = from; i < from + rows; i++) {
      if (!(Math.abs(columns[i]!) <= limit)) return outOfRange(rangeMessage(message, json));
    }
  }
  return null;
}

/** Names the first reading that is out of range, in the order of the payload, its unit, and how many there are. */
function rangeMessage({ rows, columns }: SequencedMessage, json: Uint8Array | null): string {
  let first = "";
  let count = 0;
  for (let row = 0; row < rows; row++) {
    for (let channel = 0; channel < imuChannels.length; channel++) {
      const x = columns[channel * MAX_ROWS + row]!;
      const { limit, unit } = channel < 3 ? acceleration : angularRate;
      if (Math.abs(x) <= limit || count++ > 0) continue;
      const received = written(json, x, "samples", row, channel);
      first = `sample ${row}, ${imuChannels[channel]} is ${received}; ${unit} are expected, from -${limit} to ${limit}`;
    }
  }
  return count === 1 ? first : `${first} (${count} of ${rows * imuChannels.length} values are out of range)`;
}

function addMagnitudes(message: SequencedMessage): void {
  const c = message.columns;
  for (let i = 0; i < message.rows; i++) {
    const ax = c[i]!;
    const ay = c[MAX_ROWS + i]!;
    const az = c[2 * MAX_ROWS + i]!;
    c[6 * MAX_ROWS + i] = Math.sqrt(ax * ax + ay * ay + az * az);
    const gx = c[3 * MAX_ROWS + i]!;
    const gy = c[4 * MAX_ROWS + i]!;
    const gz = c[5 * MAX_ROWS + i]!;
    c[7 * MAX_ROWS + i] = Math.sqrt(gx * gx + gy * gy + gz * gz);
  }
}
