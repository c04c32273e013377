import type { EventSourceMapping } from "../../domain/event-source-mappings.ts";
import type { Milliseconds } from "../../domain/time.ts";
import type { KafkaRecord } from "./event.ts";

/** Records of one partition that are delivered together, and the number of failed deliveries. */
export interface Slice {
  readonly records: readonly KafkaRecord[];
  readonly failures: number;
}

/**
 * The result of an invocation for one slice. `resumeFrom` is the first offset that failed; null when the function did
 * not report one. `shared` is true when the event also held records of other partitions.
 */
export type Outcome =
  | { readonly ok: true }
  | { readonly ok: false; readonly resumeFrom: number | null; readonly shared: boolean };

export interface Decision {
  /** Slices to deliver next, in order. */
  readonly pending: readonly Slice[];
  /** Records that are given up, and the condition, named as in Lambda's on-failure destination. */
  readonly discarded: readonly KafkaRecord[];
  readonly condition: "RetryAttemptsExhausted" | "RecordAgeExceeded" | null;
}

export type RetryPolicy = Pick<
  EventSourceMapping,
  "maximumRetryAttempts" | "maximumRecordAgeMs" | "bisectBatchOnError"
>;

/**
 * Decides what happens to a slice after an invocation:
 *
 * 1. After success the slice is done.
 * 2. Records before the reported one are done. The rest becomes a new slice without failures: there was progress.
 * 3. When a shared event failed as a whole, another partition may be the reason. The slice is retried alone.
 * 4. Records older than the maximum age are given up.
 * 5. A slice that failed as a whole is split into halves. This does not count as a retry.
 * 6. After the last retry, the reported record is given up; without a report, the whole slice is.
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

/**
 * Delay before the next attempt.
 *
 * @param failuresInARow Failed attempts in a row in this partition, at least 1.
 */
export function backOff(failuresInARow: number): Milliseconds {
  return Math.min(LONGEST_BACK_OFF, FIRST_BACK_OFF * 2 ** (failuresInARow - 1));
}
