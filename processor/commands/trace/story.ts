import type { Letter } from "../../../domain/dead-letters.ts";
import type { DeadLetterCode } from "../../../domain/errors.ts";
import type { EpochMs } from "../../../domain/time.ts";
import type { Output } from "./outputs.ts";
import { isSame, type Subject } from "./subject.ts";

/** One arrival of a message in the log, and what was found about it. */
export interface Arrival {
  /** `<topic>/<partition>/<offset>`. */
  readonly place: string;
  readonly offset: number;
  readonly subject: Subject;
  readonly appendedAt: EpochMs;
  /** When the bridge, or the function that takes trades, got it; null where the record does not say. */
  readonly ingestMs: EpochMs | null;
  readonly traceparent: string | null;
  readonly reinjectedFrom: string | null;
  readonly bytes: number;
  /** Dead letters about it, each with its place. */
  readonly letters: readonly (Letter & { readonly place: string })[];
  /** Outputs that tell of it, in the order in which they were written. */
  readonly outputs: readonly Output[];
}

export type Verdict = "accepted" | "dead-lettered" | "late" | "duplicate" | "waiting" | "processed";

export interface ArrivalStory extends Arrival {
  readonly verdict: Verdict;
  readonly why: string;
}

/** These letters tell of what else failed in a record's step: the record itself stands. */
const BESIDE: readonly DeadLetterCode[] = ["output-too-large", "state-failed"];

/** The outputs by which a pipeline says that it has taken a message. */
const TAKEN: readonly Output["topic"][] = ["transformed", "marketEnriched"];
/** The same of those that the lake has. */
const TAKEN_IN_LAKE: readonly Output["topic"][] = ["aggregated", "sessions", "inference", "marketAggregated"];

/** The outputs that verbatim hold what was too late. */
const LATE: readonly Output["topic"][] = ["late", "marketLate"];

/**
 * Judges arrivals, which stand in the order of the log.
 *
 * @param committed The offset below which the task has committed; null before its first commit
 * @param since Epoch ms from which on earlier arrivals were looked for
 * @param from Where the outputs were looked for
 */
export function judge(
  arrivals: readonly Arrival[],
  committed: number | null,
  since: EpochMs,
  from: "log" | "lake" = "log",
): ArrivalStory[] {
  const taken = from === "log" ? TAKEN : TAKEN_IN_LAKE;
  const stories: ArrivalStory[] = [];
  for (const arrival of arrivals) stories.push({ ...arrival, ...verdictOf(arrival, stories, committed, since, taken) });
  return stories;
}

function verdictOf(
  { offset, subject, letters, outputs }: Arrival,
  earlier: readonly ArrivalStory[],
  committed: number | null,
  since: EpochMs,
  taken: readonly Output["topic"][],
): Pick<ArrivalStory, "verdict" | "why"> {
  const refusal = letters.find(({ code }) => !BESIDE.includes(code as DeadLetterCode));
  if (refusal) return { verdict: "dead-lettered", why: `${refusal.code}: ${refusal.message}` };
  if (committed === null || committed <= offset) {
    const where = committed === null ? "has committed nothing yet" : `has committed the offsets below ${committed}`;
    return { verdict: "waiting", why: `it is not processed yet: the task ${where}` };
  }
  const own = outputs.filter(({ role }) => role === "holds");
  const late = own.filter(({ topic }) => LATE.includes(topic));
  if (late.length > 0)
    return { verdict: "late", why: `it came too late: it was ${late.map(({ what }) => what).join("; and ")}` };
  const first = earlier.find(
    (other) => isSame(other.subject.identity, subject.identity) && other.verdict !== "dead-lettered",
  );
  // A trade whose status changes arrives again, and is taken again.
  const isTakenAgain = own.some(({ topic }) => topic === "marketEnriched");
  if (first && !isTakenAgain) return { verdict: "duplicate", why: `the message had arrived before, as ${first.place}` };
  if (own.some(({ topic }) => taken.includes(topic)))
    return { verdict: "accepted", why: "its readings are in the outputs below" };
  if (subject.identity.key === null) return { verdict: "processed", why: "it is a control record" };
  return {
    verdict: "processed",
    why:
      "no output names it alone: it waits for the messages before it, or it is a copy of one that arrived before " +
      new Date(since).toISOString(),
  };
}
