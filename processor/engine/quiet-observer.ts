import type { EngineObserver } from "./ports.ts";

/** A logger with one method per level, as pino's is. */
type LevelLogger = Readonly<
  Record<Parameters<EngineObserver["log"]>[0], (fields: Record<string, unknown>, message: string) => void>
>;

/** An observer that only logs, for commands that run parts of the engine and report no metrics. */
export function quietObserver(logger: LevelLogger): EngineObserver {
  const ignore = (): void => undefined;
  return {
    log: (level, fields, message) => logger[level](fields, message),
    committed: ignore,
    stepped: ignore,
    snapshotWritten: ignore,
    restarted: ignore,
    recovered: ignore,
  };
}
