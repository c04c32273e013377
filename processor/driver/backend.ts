import type { InputRecord, OutputRecord } from "../runtime/machine.ts";

/** A record as a reader finds it in an output topic. */
export type WrittenRecord = Pick<OutputRecord, "topic" | "key" | "value" | "headers">;

/**
 * What a `PipelineDriver` drives: partition 0 of a pipeline's input, and an owner that processes it, in memory or on
 * Kafka. The driver makes one call at a time, except that `crash` may come while another call is under way. That call
 * then resolves without effect.
 */
export interface DriverBackend {
  /** Appends records to the log. */
  append(records: readonly InputRecord[]): Promise<void>;
  /**
   * Brings the owner to the end of the log. If there is no owner, a new one restores the last snapshot and catches up.
   *
   * @returns What readers of the output topics see now and did not see before, in order within each topic.
   * @throws MillraceError the named error that stops the engine's task, such as `replay-diverged`
   */
  settle(): Promise<readonly WrittenRecord[]>;
  /** Keeps the state as it is now. Called after `settle`, with an owner. */
  snapshot(): Promise<void>;
  /** Ends time. Called after `settle`; only `close` follows. @returns As `settle`. @throws Error on Kafka */
  flush(): Promise<readonly WrittenRecord[]>;
  /** Kills the owner, at once. Does nothing when there is none. Does not block. */
  crash(): void;
  /** Ends the backend and removes everything that it created. */
  close(): Promise<void>;
}
