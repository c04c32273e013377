import type { EventSourceMapping } from "../../domain/event-source-mappings.ts";
import type { Milliseconds } from "../../domain/time.ts";
import type { KafkaRecord } from "./event.ts";

/** Records of one partition that are delivered together, and how often that failed. */
export interface Slice {
  readonly records: readonly KafkaRecord[];
  readonly failures: number;
}

/**
 * How an invocation went for one slice: `resumeFrom` is the first offset that failed, null when the function did not
 * say; `shared` when the event held other partitions' records, too.
 */
export type Outcome =
  | { readonly ok: true }
  | { readonly ok: false; readonly resumeFrom: number | null; readonly shared: boolean };

export interface Decision {
  /** Slices to deliver next, in order. */
  readonly pending: readonly Slice[];
  /** Records that are given up, and why, in the words of Lambda's on-failure destination. */
  readonly discarded: readonly KafkaRecord[];
  readonly condition: "RetryAttemptsExhausted" | "RecordAgeExceeded" | null;
}

export type RetryPolicy = Pick<
  EventSourceMapping,
  "maximumRetryAttempts" | "maximumRecordAgeMs" | "bisectBatchOnError"
>;

/**
 * What happens to a slice after an invocation:
 *
 * 1. Success: it is done.
 * 2. Records before the one reported as failed are done; the rest is a slice with no failures yet, for something moved.
 * 3. If all of a shared event failed, another partition may be at fault: this is tried again, alone.
 * 4. Records older than the maximum age are given up.
 * 5. A slice that failed as a whole is halved; halving is no retry.
 * 6. After the last retry it is given up: the one record that the function named, or else all of it.
 */
export function decide(slice: Slice, outcome: Outcome, policy: RetryPolicy, nowMs: number): Decision {
  if (outcome.ok) return { pending: [], discarded: [], condition: null };
  const { records } = slice;
  const resumeIndex =
    outcome.resumeFrom === null ? 0 : records.findIndex(({ offset }) => offset >= (outcome.resumeFrom as number));
  if (resumeIndex > 0)
    return { pending: [{ records: records.slice(resumeIndex), failures: 0 }], discarded: [], condition: null };
  if (outcome.resumeFrom === null && outcome.shared) return { pending: [slice], discarded: [], condition: null };
  if (policy.maximumRecordAgeMs >= 0) {
    const young = records.findIndex(({ timestampMs }) => nowMs - timestampMs <= policy.maximumRecordAgeMs);
    const expired = young === -1 ? records.length : young;
    if (expired > 0) return giveUp(records, expired, "RecordAgeExceeded");
  }
  if (outcome.resumeFrom === null && policy.bisectBatchOnError && records.length > 1) {
    const middle = Math.ceil(records.length / 2);
    return {
      pending: [
        { records: records.slice(0, middle), failures: 0 },
        { records: records.slice(middle), failures: 0 },
      ],
      discarded: [],
      condition: null,
    };
  }
  if (slice.failures >= policy.maximumRetryAttempts)
    return giveUp(records, outcome.resumeFrom === null ? records.length : 1, "RetryAttemptsExhausted");
  return { pending: [{ records, failures: slice.failures + 1 }], discarded: [], condition: null };
}

function giveUp(
  records: readonly KafkaRecord[],
  count: number,
  condition: NonNullable<Decision["condition"]>,
): Decision {
  const rest = records.slice(count);
  return {
    pending: rest.length > 0 ? [{ records: rest, failures: 0 }] : [],
    discarded: records.slice(0, count),
    condition,
  };
}

const FIRST_BACK_OFF: Milliseconds = 200;
const LONGEST_BACK_OFF: Milliseconds = 30_000;

/** Pause before the next attempt, by how many attempts in a row have failed in that partition (1 or more). */
export function backOff(failuresInARow: number): Milliseconds {
  return Math.min(LONGEST_BACK_OFF, FIRST_BACK_OFF * 2 ** (failuresInARow - 1));
}
