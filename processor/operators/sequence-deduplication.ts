import type { Reader, Writer } from "../runtime/codec.ts";
import type { Admission, Deduplication } from "../runtime/deduplication.ts";
import type { SeenFacts } from "../runtime/facts.ts";
import type { KeyedState } from "../runtime/keyed-state.ts";
import type { SequencedMessage } from "./sequenced-message.ts";
import { type SequenceLimits, Sequences } from "./sequences.ts";

/**
 * Finds duplicates by (key, boot, seq). A seen number whose last sample is newer than the key's highest event time is
 * no copy, but a source that restarted without a new boot.
 */
export class SequenceDeduplication implements Deduplication<Sequences, SequencedMessage> {
  readonly #limits: SequenceLimits;

  constructor(limits: SequenceLimits) {
    this.#limits = limits;
  }

  create(): Sequences {
    return new Sequences();
  }

  judge({ seen, maxEventTime }: KeyedState, { boot, seq, lastTime }: SequencedMessage): Admission {
    const verdict = (seen as Sequences).verdict(boot, seq, lastTime);
    if (verdict === "new") return "new";
    const identity = `seq ${seq} of boot ${JSON.stringify(boot)}`;
    if (verdict === "unknown") {
      const message =
        `${identity} lies where too many gaps or boots have been forgotten: ` +
        "it can't be told whether it was counted";
      return { code: "sequence-unknown", message };
    }
    if (lastTime > maxEventTime) {
      const message =
        `${identity} was seen, but its last sample ${lastTime} is newer than all of this key's (${maxEventTime}): ` +
        "a device that restarts must change boot";
      return { code: "sequence-reused", message };
    }
    return "duplicate";
  }

  add(seen: Sequences, { boot, seq, lastTime }: SequencedMessage): void {
    seen.add(boot, seq, lastTime, this.#limits);
  }

  facts(seen: Sequences): SeenFacts {
    return seen.facts();
  }

  encode(seen: Sequences, writer: Writer): void {
    seen.encode(writer);
  }

  decode(reader: Reader, keyedLayout: number): Sequences {
    return Sequences.decode(reader, keyedLayout === 1);
  }
}
