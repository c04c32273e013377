import type { Semantics } from "../../domain/semantics.ts";
import type { Topology } from "./pipeline.ts";

/**
 * Settings that hold in a partition from one `settings` record to the next, and what runs under them. Keys that wait
 * for their switch still run under an older one.
 */
export interface Regime {
  /** Counts the regimes of the partition. */
  readonly id: number;
  readonly settings: Semantics;
  readonly topology: Topology;
}
