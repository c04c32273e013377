import type { Semantics } from "../../domain/semantics.ts";
import type { EpochMs, Milliseconds, TimeInterval } from "../../domain/time.ts";

/** A window that is kept. */
export interface WindowFacts extends TimeInterval {
  /** As its records name it, such as `tumbling-1000`. */
  readonly operator: string;
  /** Readings in it. */
  readonly count: number;
  /** How often it has fired: its last revision is one less. */
  readonly fired: number;
  /** Whether it has changed since it fired last, or has not fired yet. */
  readonly due: boolean;
}

/** A session that is kept. */
export interface SessionFacts {
  readonly start: EpochMs;
  /** Time of its last sample. */
  readonly last: EpochMs;
  readonly samples: number;
  /** How many `ended` records it has. */
  readonly ended: number;
  /** Whether it has changed since its last `ended` record, or has none. */
  readonly due: boolean;
}

/** Messages that wait for those before them. */
export interface WaitingFacts {
  readonly boot: string | null;
  /** The sequence number that they wait for. */
  readonly next: number;
  readonly messages: number;
  /** Of the numbers that they came with: eight for each time and each value. */
  readonly bytes: number;
  /** The lowest sequence number that waits; null when none does. */
  readonly first: number | null;
  /** Time of the first sample that waits; infinite when none does. */
  readonly firstTime: EpochMs;
}

/** The sequence numbers that were seen of one boot. */
export interface BootFacts {
  readonly boot: string | null;
  /** Numbers below it are unknown. */
  readonly floor: number;
  /** Pairs of first and last, both inclusive, ascending. */
  readonly intervals: readonly (readonly [number, number])[];
  /** Newest event time of the boot. */
  readonly newest: EpochMs;
}

/** What deduplication remembers of a key's messages. */
export interface SeenFacts {
  /** In the order in which they were first seen. */
  readonly boots: readonly BootFacts[];
  /** Boots of which only a hash is kept. */
  readonly letGoBoots: number;
}

/** What an operator keeps of a key. */
export interface OperatorFacts {
  readonly windows?: readonly WindowFacts[];
  readonly sessions?: readonly SessionFacts[];
  readonly waiting?: WaitingFacts;
  /** Trades whose ids are kept. */
  readonly trades?: number;
}

/** The state of a partition, for people. */
export interface PartitionFacts {
  /** The partition clock: the highest record timestamp seen; -Infinity before the first. */
  readonly clock: EpochMs;
  /** Highest event time of all keys; -Infinity before the first. */
  readonly maxEventTime: EpochMs;
  /** The settings in force. */
  readonly settings: Semantics;
}

/** The state of a key, for people. Times are -Infinity before the first message. */
export interface KeyFacts {
  readonly key: string;
  /** `silent`: it waits for its turn to go idle. `expired`: nothing is left of it but what deduplication remembers. */
  readonly presence: "active" | "silent" | "idle" | "expired";
  /** Highest event time of an accepted message. */
  readonly maxEventTime: EpochMs;
  /** The watermark that counts for it: its own or the partition's. */
  readonly watermark: EpochMs;
  /** What begins at or before it is final. */
  readonly finalUpTo: EpochMs;
  /** How far the partition clock has moved since its last message; one step counts for at most some seconds. */
  readonly silentFor: Milliseconds;
  /** Offset of its last message that was accepted or a duplicate. */
  readonly lastSeenAt: number;
  /** Ascending by start within an operator. */
  readonly windows: readonly WindowFacts[];
  readonly sessions: readonly SessionFacts[];
  /** Null where the pipeline puts nothing into order. */
  readonly waiting: WaitingFacts | null;
  /** Null where messages have no sequence numbers. */
  readonly seen: SeenFacts | null;
  /** Null where the pipeline keeps no trades. */
  readonly trades: number | null;
}
