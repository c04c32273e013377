import { createLogger, type Logger } from "./log.ts";

/**
 * Makes lines of the log of Node's warnings, and of an error that nobody catches, such as a setting that is invalid;
 * the error ends the program with exit code 1. Call it first.
 */
export function logUncaught(program: string): void {
  process.on("warning", (warning) => {
    if (warning.name !== "ExperimentalWarning") createLogger(program, "warn").warn({ err: warning }, "Node warns");
  });
  process.once("uncaughtException", (error) => {
    createLogger(program, "error").error({ err: error }, "the program ends");
    process.exit(1);
  });
}

/**
 * Runs `stop` on the first SIGTERM or SIGINT, then exits. The exit code is 0 when it succeeded, and 1 when it failed or
 * took longer than `limitMs`. Later signals are ignored.
 */
export function onShutdown(log: Logger, stop: (signal: string) => Promise<void>, limitMs: number): void {
  let stopping = false;
  const handle = (signal: string): void => {
    if (stopping) return;
    stopping = true;
    setTimeout(() => process.exit(1), limitMs).unref();
    stop(signal).then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, "the program could not end in order");
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", () => handle("SIGTERM"));
  process.on("SIGINT", () => handle("SIGINT"));
}
