import { codePoints, imuChannels, imuLimits, SENSOR_ID } from "../../../domain/imu.ts";
import { MAX_EPOCH_MS } from "../../../domain/time.ts";
import { contentTypes, headers as headerNames } from "../../../domain/topics.ts";
import type { SequencedMessage } from "../../operators/sequenced-message.ts";
import { MAX_ROWS, type Rejection } from "../../runtime/message.ts";
import { decodePackedImu } from "./decode-packed-imu.ts";
import { readImuJson } from "./read-imu-json.ts";
import type { SampleTimes } from "./sample-times.ts";
import { scanImuJson } from "./scan-imu-json.ts";

/** Columns of a decoded IMU message: ax ay az gx gy gz accMag gyroMag. */
export const IMU_WIDTH = 8;

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
  const times = readForm(value, headers[headerNames.contentType], message);
  if ("code" in times) return times;
  const problem = identityProblem(message) ?? spreadTimes(times, message) ?? rangeProblem(message);
  if (problem) return problem;
  message.key = key;
  addMagnitudes(message);
  return null;
}

function readForm(
  value: Uint8Array,
  contentType: string | undefined,
  message: SequencedMessage,
): Rejection | SampleTimes {
  const form =
    contentType === undefined || contentType === contentTypes.json
      ? contentTypes.json
      : contentType.split(";")[0]!.trim().toLowerCase();
  if (form === contentTypes.json) return scanImuJson(value, message) ?? readImuJson(value, message);
  if (form === contentTypes.imuPacked) return decodePackedImu(value, message);
  return {
    code: "unknown-content-type",
    message: `content-type is ${JSON.stringify(contentType)}; use ${contentTypes.json} or ${contentTypes.imuPacked}`,
  };
}

/** The times of the samples: tᵢ = t + (i × 1000) / hz, in doubles; given times must not decrease. */
function spreadTimes(times: SampleTimes, message: SequencedMessage): Rejection | null {
  const t = message.t;
  if (times.times === 0) {
    const { t: first, hz } = times;
    if (!(hz > 0 && hz <= imuLimits.hz))
      return { code: "out-of-range", message: `hz is ${hz}; it must be above 0 and at most ${imuLimits.hz}` };
    for (let i = 0; i < message.rows; i++) t[i] = first + (i * 1000) / hz;
  } else {
    for (let i = 1; i < message.rows; i++) {
      if (t[i]! < t[i - 1]!)
        return { code: "invalid-message", message: `t decreases at sample ${i}: ${t[i]} after ${t[i - 1]}` };
      if (!(t[i]! >= t[i - 1]!)) return timeProblem(NaN);
    }
  }
  return timeProblem(message.firstTime) ?? timeProblem(message.lastTime);
}

function timeProblem(time: number): Rejection | null {
  return Math.abs(time) <= MAX_EPOCH_MS
    ? null
    : { code: "out-of-range", message: `t is ${time}; epoch milliseconds up to ${MAX_EPOCH_MS} are allowed` };
}

function identityProblem({ seq, boot }: SequencedMessage): Rejection | null {
  if (!Number.isInteger(seq)) return { code: "invalid-message", message: `seq is ${seq}; it must be an integer` };
  if (boot !== null && boot.length > imuLimits.bootLength && codePoints(boot) > imuLimits.bootLength)
    return { code: "invalid-message", message: `boot has more than ${imuLimits.bootLength} characters` };
  return null;
}

function rangeProblem(message: SequencedMessage): Rejection | null {
  if (message.seq < 0 || message.seq > Number.MAX_SAFE_INTEGER)
    return { code: "out-of-range", message: `seq is ${message.seq}; it must be from 0 to ${Number.MAX_SAFE_INTEGER}` };
  for (let channel = 0; channel < imuChannels.length; channel++) {
    const limit = channel < 3 ? imuLimits.acceleration : imuLimits.angularRate;
    const from = channel * MAX_ROWS;
    for (let i = from; i < from + message.rows; i++) {
      const x = message.columns[i]!;
      if (!(Math.abs(x) <= limit))
        return {
          code: "out-of-range",
          message:
            `sample ${i - from}, ${imuChannels[channel]} is ${x}; ` +
            `finite numbers from -${limit} to ${limit} are allowed`,
        };
    }
  }
  return null;
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
