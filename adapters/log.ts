import { pino, type Logger } from "pino";

export type { Logger };

/** A logger that writes JSON lines to standard error. `level`: the least severe that is written. */
export function createLogger(program: string, level: string): Logger {
  return pino(
    {
      level,
      base: { program },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ dest: 2, sync: true }),
  );
}
