import { pino, type LogFn, type Logger } from "pino";
import { SECOND } from "../domain/time.ts";
import type { Metrics } from "./metrics.ts";
import { RepeatedLines } from "./repeated-lines.ts";

export type { Logger };

/** The levels in pino's numbers. */
const WARN = 40;
const ERROR = 50;

/** Lines of one kind that are about one record each, and are written in a minute: each is about another record. */
const RECORD_LINES = 20;
/** Time between two looks for counts that are due. */
const LOOK_MS = 5 * SECOND;

/** Fields that say which part of a program a line is about. Each has few values: another value is another error. */
const PARTS = ["task", "component", "function", "group", "table", "stream", "collection", "what", "model", "version"];

/** Of all loggers of the process: the functions share one on a developer's machine. */
const repeatedLines = new RepeatedLines(Date.now);
let isLooking = false;

/**
 * A logger that writes JSON lines to standard error, as docs/observability.md describes them. A warning or an error
 * that comes again within a minute is counted, and written at the end of it.
 *
 * @param level The least severe that is written.
 * @param metrics Count the errors, where given, also those that are not written.
 */
export function createLogger(program: string, level: string, metrics?: Metrics): Logger {
  return pino(
    {
      level,
      base: { program },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: {
        logMethod(parts, method, severity) {
          if (severity >= ERROR) metrics?.add("program.errors");
          const [fields, message] = fieldsAndMessage(parts);
          // A filter of the log counts the lines that have an alarm.
          if (severity < WARN || "alarm" in fields) {
            method.apply(this, parts);
            return;
          }
          const most = "traceId" in fields ? RECORD_LINES : 1;
          lookForCounts();
          repeatedLines.take(kindOf(program, severity, fields, message), most, (repeats) =>
            method.apply(this, repeats === undefined ? parts : [{ ...fields, ...repeats }, message]),
          );
        },
      },
    },
    pino.destination({ dest: 2, sync: true }),
  );
}

/** From now on, counts that are due are written; those that are left, when the process ends. */
function lookForCounts(): void {
  if (isLooking) return;
  isLooking = true;
  setInterval(() => repeatedLines.writeDue(), LOOK_MS).unref();
  process.once("exit", () => repeatedLines.writeAll());
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsAndMessage([first, second]: Parameters<LogFn>): [Fields, string] {
  return typeof first === "string" ? [{}, first] : [first as Fields, String(second)];
}

/** What makes two lines the same: program, level, text, the error's name and code, and the part of the program. */
function kindOf(program: string, severity: number, fields: Fields, message: string): string {
  const { name, code } = (fields["err"] ?? {}) as { name?: unknown; code?: unknown };
  return JSON.stringify([program, severity, message, name, code, ...PARTS.map((part) => fields[part])]);
}
