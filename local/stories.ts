import { setTimeout as delay } from "node:timers/promises";
import type { Settings } from "../config/settings.ts";
import { MillraceError } from "../domain/errors.ts";
import { DAY, SECOND, type Milliseconds } from "../domain/time.ts";
import { failed, type Answer } from "../ops/answer.ts";
import { parseTraceArguments, type Wanted } from "../processor/commands/trace/arguments.ts";
import { tellFromLog } from "../processor/commands/trace/tell-from-log.ts";
import type { Story } from "../processor/commands/trace/tell.ts";

/** How long a story may take. */
const LIMIT: Milliseconds = 20 * SECOND;
/** A name is at most so long: a topic's, with a partition, an offset and a number. */
const MAX_NAME = 400;
/** A trace id is looked for among the records of so much time: a name without a place. */
const LOOK_BACK: Milliseconds = DAY;

/** Tells a story, and stops when the signal says so. */
export type Teller = (wanted: Wanted, signal: AbortSignal) => Promise<Story>;

/** Tells stories by the code of `npm run trace`, one at a time: each reads a good part of the log. */
export class Stories {
  readonly #tell: Teller;
  readonly #limit: Milliseconds;
  /** Until the last one has ended, also behind its limit. */
  #isBusy = false;

  constructor(tell: Teller, limit: Milliseconds = LIMIT) {
    this.#tell = tell;
    this.#limit = limit;
  }

  /** Those of the log that these settings name. */
  static ofLog(settings: Settings<"dump">): Stories {
    return new Stories((wanted, signal) =>
      tellFromLog(
        settings,
        wanted,
        // What has a place is found whenever it was appended; its copies are looked for around it.
        { from: wanted.kind === "trace" ? Date.now() - LOOK_BACK : 0, to: Infinity },
        signal,
      ),
    );
  }

  /** The story of a record, an output, a session or a trace, by its name; see `npm run trace`. */
  async answer(name: string): Promise<Answer> {
    const wanted = wantedOf(name);
    if (wanted === null)
      return failed(400, `${JSON.stringify(name.slice(0, MAX_NAME))} is no id of a record, a session or a trace`);
    if (this.#isBusy) return failed(429, "another story is being read: try again in some seconds");
    this.#isBusy = true;
    const limit = new AbortController();
    const timer = new AbortController();
    const story = this.#tell(wanted, limit.signal).finally(() => {
      this.#isBusy = false;
      timer.abort();
    });
    const late = delay(this.#limit, null, { signal: timer.signal });
    // Whichever comes second is nobody's.
    for (const one of [story, late]) one.catch(() => undefined);
    try {
      const answered = await Promise.race([story, late]);
      if (answered !== null) return { status: 200, body: answered };
      limit.abort();
      return failed(504, `it took more than ${this.#limit / SECOND} s; npm run trace -- ${name} has no limit`);
    } catch (error) {
      return error instanceof MillraceError
        ? failed(404, error.message)
        : failed(502, `Kafka can't be read: ${(error as Error).message}`);
    }
  }
}

function wantedOf(name: string): Wanted | null {
  if (name.length > MAX_NAME || name.startsWith("-")) return null;
  try {
    return parseTraceArguments([name]).wanted;
  } catch {
    return null;
  }
}
