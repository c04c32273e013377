import { pino, type Logger } from "pino";
import type { Metrics } from "./metrics.ts";

export type { Logger };

/** The level `error` in pino's numbers. */
const ERROR = 50;

/**
 * A logger that writes JSON lines to standard error.
 *
 * @param level The least severe that is written.
 * @param metrics Count the errors, where given.
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
          method.apply(this, parts);
        },
      },
    },
    pino.destination({ dest: 2, sync: true }),
  );
}
