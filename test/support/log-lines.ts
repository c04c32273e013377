import { z } from "zod";

/** A line of the log of any program or function, as docs/observability.md describes it. */
const logLine = z.looseObject({
  level: z.enum(["debug", "info", "warn", "error"]),
  time: z.iso.datetime({ precision: 3 }),
  program: z.string().regex(/^[a-z][a-z-]*$/),
  msg: z.string().min(1),
  err: z.looseObject({ type: z.string(), message: z.string(), stack: z.string() }).optional(),
  traceId: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .nullable()
    .optional(),
  repeated: z.int().positive().optional(),
  since: z.iso.datetime({ precision: 3 }).optional(),
});
export type LogLine = z.infer<typeof logLine>;

/** The lines of a log. @throws when one is no JSON object, or not of the one format */
export function logLines(text: string): LogLine[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => logLine.parse(JSON.parse(line)));
}
