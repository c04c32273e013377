/**
 * Runs `stop` on the first SIGTERM or SIGINT, then exits. The exit code is 0 when it succeeded, and 1 when it failed or
 * took longer than `limitMs`. Later signals are ignored.
 */
export function onShutdown(stop: (signal: string) => Promise<void>, limitMs: number): void {
  let stopping = false;
  const handle = (signal: string): void => {
    if (stopping) return;
    stopping = true;
    setTimeout(() => process.exit(1), limitMs).unref();
    stop(signal).then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", () => handle("SIGTERM"));
  process.on("SIGINT", () => handle("SIGINT"));
}
