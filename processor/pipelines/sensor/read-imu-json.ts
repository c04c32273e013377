import { codePoints, imuChannels, imuLimits } from "../../../domain/imu.ts";
import type { SequencedMessage } from "../../operators/sequenced-message.ts";
import { MAX_ROWS, type Rejection } from "../../runtime/message.ts";
import { described, whyNotJson, written } from "../../runtime/received.ts";
import type { SampleTimes } from "./sample-times.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A message whose shape is right. Its numbers may be of any size, infinite ones included. */
interface Shape {
  readonly seq: number;
  readonly boot?: string;
  readonly t: number | readonly number[];
  readonly hz?: number;
  readonly samples: readonly (readonly number[])[];
}

/**
 * Reads an IMU message by JSON.parse and says what is wrong with it. This is the slow way, for what `scanImuJson` did
 * not take. Ranges are not checked here.
 */
export function readImuJson(bytes: Uint8Array, message: SequencedMessage): Rejection | SampleTimes {
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(bytes));
  } catch (error) {
    return { code: "invalid-json", message: notJson(bytes, error) };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return { code: "invalid-message", message: `the message is ${described(value)}; an object is expected` };
  const { samples } = value as Partial<Shape>;
  if (Array.isArray(samples) && samples.length > MAX_ROWS)
    return { code: "too-many-samples", message: `samples has ${samples.length} rows; at most ${MAX_ROWS} are allowed` };
  const problems = shapeProblems(value, bytes);
  if (problems.length > 0) return { code: "invalid-message", message: problems.join("; ") };
  return take(value as Shape, message);
}

function notJson(bytes: Uint8Array, error: unknown): string {
  return bytes.length === 0 ? "the payload is empty" : whyNotJson("the payload", bytes, error);
}

function take({ seq, boot, t, hz, samples }: Shape, message: SequencedMessage): SampleTimes {
  message.seq = seq;
  message.boot = boot ?? null;
  message.rows = samples.length;
  for (let row = 0; row < samples.length; row++) {
    for (let channel = 0; channel < imuChannels.length; channel++)
      message.columns[channel * MAX_ROWS + row] = samples[row]![channel]!;
  }
  if (typeof t === "number") return { times: 0, t, hz: hz! };
  message.t.set(t);
  return { times: t.length, t: NaN, hz: NaN };
}

/** Everything that is wrong with the shape of a message, a sentence for each field. */
function shapeProblems(value: object, bytes: Uint8Array): string[] {
  const { seq, boot, t, hz, samples } = value as { [K in keyof Shape]?: unknown };
  const problems = [
    seqProblem(seq, bytes),
    bootProblem(boot),
    timesProblem(t, hz, samples),
    samplesProblem(samples),
  ].filter((problem) => problem !== null);
  const isIncomplete = [seq, t, samples].includes(undefined);
  return isIncomplete ? [...problems, `the message is ${described(value)}`] : problems;
}

function seqProblem(seq: unknown, bytes: Uint8Array): string | null {
  if (Number.isInteger(seq)) return null;
  const received = typeof seq === "number" ? written(bytes, seq, "seq") : described(seq);
  return `seq is ${received}; an integer is expected`;
}

function bootProblem(boot: unknown): string | null {
  if (boot === undefined) return null;
  if (typeof boot !== "string") return `boot is ${described(boot)}; a text is expected`;
  const length = codePoints(boot);
  return length <= imuLimits.bootLength
    ? null
    : `boot has ${length} characters; at most ${imuLimits.bootLength} are allowed`;
}

function timesProblem(t: unknown, hz: unknown, samples: unknown): string | null {
  if (hz !== undefined && typeof hz !== "number") return `hz is ${described(hz)}; a number is expected`;
  if (typeof t === "number")
    return hz === undefined ? "t is one number and hz is missing: give hz, or one time per sample" : null;
  if (!Array.isArray(t))
    return `t is ${described(t)}; a number (with hz) or one time per sample is expected, in epoch milliseconds`;
  if (hz !== undefined)
    return "t is an array and hz is given: use either one time per sample, or the first time with hz";
  const wrong = wrongNumbers(t);
  if (wrong !== null) return `t: ${wrong}`;
  return Array.isArray(samples) && samples.length !== t.length
    ? `t has ${t.length} times for ${samples.length} samples`
    : null;
}

function samplesProblem(samples: unknown): string | null {
  if (!Array.isArray(samples)) return `samples is ${described(samples)}; an array of rows is expected`;
  if (samples.length === 0) return "samples is empty; 1 to 1,000 rows are expected";
  const expected = `${imuChannels.length} numbers are expected, ${imuChannels.join(" ")}`;
  const isRow = (row: unknown): row is unknown[] => Array.isArray(row) && row.length === imuChannels.length;
  const others = samples.filter((row) => !isRow(row));
  if (others.length > 0) {
    const [first] = others as [unknown];
    const columns = Array.isArray(first) ? `has ${first.length} columns` : `is ${described(first)}`;
    return `samples: row ${samples.indexOf(first)} ${columns}; ${expected}${ofHowMany(others.length, samples.length)}`;
  }
  const rows = samples as unknown[][];
  const wrongRows = rows.filter((row) => wrongNumbers(row) !== null);
  if (wrongRows.length === 0) return null;
  const [first] = wrongRows as [unknown[]];
  return `samples: row ${rows.indexOf(first)}: ${wrongNumbers(first)}${ofHowMany(wrongRows.length, rows.length)}`;
}

/** The first entry of an array that is no number. */
function wrongNumbers(values: readonly unknown[]): string | null {
  const at = values.findIndex((value) => typeof value !== "number");
  return at === -1 ? null : `entry ${at} is ${described(values[at])}; a number is expected`;
}

function ofHowMany(wrong: number, all: number): string {
  return wrong === 1 ? "" : ` (${wrong} of ${all} rows are wrong)`;
}
