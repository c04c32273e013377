import { z } from "zod";
import { codePoints, imuLimits } from "../../../domain/imu.ts";
import type { SequencedMessage } from "../../operators/sequenced-message.ts";
import { MAX_ROWS, type Rejection } from "../../runtime/message.ts";
import type { SampleTimes } from "./sample-times.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The shape of an IMU message. Ranges are checked on the columns, for both forms alike. */
const shape = z.object({
  seq: z.number("seq must be a number").refine(Number.isInteger, "seq must be an integer"),
  boot: z
    .string("boot must be a string")
    .refine(
      (boot) => codePoints(boot) <= imuLimits.bootLength,
      `boot must have at most ${imuLimits.bootLength} characters`,
    )
    .optional(),
  t: z.union(
    [z.number(), z.array(z.number()).min(1)],
    "t must be a number (with hz) or an array of numbers, epoch milliseconds",
  ),
  hz: z.number("hz must be a number").optional(),
  samples: z
    .array(
      z.array(z.number(), "a sample must be an array of six numbers").length(6, "a sample must have six numbers"),
      "samples must be an array",
    )
    .min(1, "samples must not be empty"),
});

/**
 * Reads an IMU message by JSON.parse and says what is wrong with it. This is the slow way, for what `scanImuJson` did
 * not take. Ranges are not checked here.
 */
export function readImuJson(bytes: Uint8Array, message: SequencedMessage): Rejection | SampleTimes {
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(bytes));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { code: "invalid-json", message: `the payload of ${bytes.length} bytes is not JSON in UTF-8: ${reason}` };
  }
  // Numbers too large for a double come out of JSON.parse as infinite; the range check names them.
  const samples = (value as { samples?: unknown } | null)?.samples;
  if (Array.isArray(samples) && samples.length > MAX_ROWS)
    return { code: "too-many-samples", message: `samples has ${samples.length} rows; at most ${MAX_ROWS} are allowed` };
  const parsed = shape.safeParse(finite(value, 3));
  if (!parsed.success) {
    const problems = parsed.error.issues
      .slice(0, 5)
      .map((issue) => `${issue.path.join(".") || "message"}: ${issue.message}`);
    return { code: "invalid-message", message: problems.join("; ") };
  }
  const { seq, boot, t, hz, samples: rows } = parsed.data;
  if (Array.isArray(t) && hz !== undefined)
    return {
      code: "invalid-message",
      message: "t is an array and hz is given: use either one time per sample, or the first time with hz",
    };
  if (!Array.isArray(t) && hz === undefined)
    return { code: "invalid-message", message: "t is one number and hz is missing: give hz, or one time per sample" };
  if (Array.isArray(t) && t.length !== rows.length)
    return { code: "invalid-message", message: `t has ${t.length} times for ${rows.length} samples` };
  message.seq = seq;
  message.boot = boot ?? null;
  message.rows = rows.length;
  for (let row = 0; row < rows.length; row++) {
    for (let channel = 0; channel < 6; channel++) message.columns[channel * MAX_ROWS + row] = rows[row]![channel]!;
  }
  if (Array.isArray(t)) message.t.set(t);
  return { times: Array.isArray(t) ? t.length : 0, t: Array.isArray(t) ? NaN : t, hz: hz ?? NaN };
}

/** Stands for an infinite number until the range check: zod's number takes only finite ones. */
const BEYOND = Number.MAX_VALUE;

/** Replaces infinite numbers, `depth` levels deep: no number of the contract is deeper. */
function finite(value: unknown, depth: number): unknown {
  if (value === Infinity) return BEYOND;
  if (value === -Infinity) return -BEYOND;
  if (depth === 0 || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((inner) => finite(inner, depth - 1));
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, finite(inner, depth - 1)]));
}
