import type { Milliseconds } from "../../domain/time.ts";
import type { SequenceLimits } from "../operators/sequences.ts";
import type { Decode } from "./message.ts";
import type { Operator } from "./operator.ts";

/** Settings of time and memory that hold for a whole pipeline. */
export interface PipelineLimits extends SequenceLimits {
  readonly outOfOrdernessMs: Milliseconds;
  readonly idleTimeoutMs: Milliseconds;
  readonly futureGuardMs: Milliseconds;
  readonly expiryMs: Milliseconds;
  readonly tombstoneMs: Milliseconds;
  /** One watermark per key, or one for all keys of a partition. */
  readonly watermark: "sensor" | "partition";
}

/**
 * A pipeline: where it reads, how a record becomes a message, what is admitted, and the operators that a message
 * passes, in order.
 */
export interface Pipeline {
  readonly name: string;
  readonly source: string;
  /** Columns of a decoded message. */
  readonly width: number;
  readonly decode: Decode;
  readonly deadLetter: string;
  readonly limits: PipelineLimits;
  /** Makes the operators: they hold buffers of their own, so each partition has its own. */
  readonly operators: () => readonly Operator[];
}
