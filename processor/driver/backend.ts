import type { InputRecord, OutputRecord } from "../runtime/machine.ts";

/** A record as a reader finds it in an output topic. */
export type WrittenRecord = Pick<OutputRecord, "topic" | "key" | "value" | "headers">;

/**
 * What a `PipelineDriver` drives: partition 0 of a pipeline's input with an owner that processes it, in memory or on
 * Kafka. One call at a time, except that `crash` may come while another is under way, which then ends without effect.
 */
export interface DriverBackend {
  /** Adds records to the end of the log. */
  append(records: readonly InputRecord[]): Promise<void>;
  /**
   * Brings the owner to the end of the log; where there is none, a new one restores the last snapshot and catches up.
   * Gives what readers of the output topics see now and did not before, in order within each topic.
   *
   * @throws MillraceError what the engine stops by name for, such as `replay-diverged`.
   */
  settle(): Promise<readonly WrittenRecord[]>;
  /** Keeps the state as it is now. Called when settled. */
  snapshot(): Promise<void>;
  /** Ends time. Called when settled, and nothing but `close` follows. @throws Error where time can't be ended. */
  flush(): Promise<readonly WrittenRecord[]>;
  /** The owner is gone, at once and without a word to anybody. */
  crash(): void;
  /** Leaves nothing behind. */
  close(): Promise<void>;
}
