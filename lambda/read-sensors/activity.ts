import type { ActivityStretch } from "../../domain/api.ts";
import { MINUTE, type EpochMs, type Milliseconds } from "../../domain/time.ts";
import {
  INFERENCE_RANKS,
  INFERENCES,
  windowsDocumentId,
  type SensorDocument,
  type StoredInference,
  type WindowsDocument,
} from "../shared/documents.ts";
import { growingChunks } from "../shared/growing-chunks.ts";
import { valueOf } from "../shared/revised.ts";
import { DOCUMENTS, minutesDown } from "./minutes.ts";

/** A hop of a model is no longer. */
const LONGEST_HOP: Milliseconds = MINUTE;
/** Inferences that are no further apart follow one another: times are doubles. */
const TOUCHING: Milliseconds = 1;

/** Which inferences are wanted: those that overlap [from, to), and start before `before`. */
export interface ActivityQuery {
  readonly from?: EpochMs | undefined;
  readonly to?: EpochMs | undefined;
  readonly before?: EpochMs | undefined;
}

/** Stretches, newest first. */
export interface FoundActivity {
  readonly stretches: readonly ActivityStretch[];
  /** The next page has what starts before it; null when there is no more. */
  readonly next: EpochMs | null;
}

/**
 * At most `limit` stretches of a sensor: inferences of one label and model that follow one another. A request reads a
 * bounded number of documents. What lies behind them is on the next page, even where that cuts a stretch.
 *
 * @param read Gives the documents of these ids that exist, in any order.
 */
export async function findActivity(
  { _id: sensorId, hours = {}, lastSeen }: Pick<SensorDocument, "_id" | "hours" | "lastSeen">,
  query: ActivityQuery,
  { limit, nowMs }: { readonly limit: number; readonly nowMs: EpochMs },
  read: (ids: readonly string[]) => Promise<readonly WindowsDocument[]>,
): Promise<FoundActivity> {
  const { from = -Infinity, to = Infinity, before = Infinity } = query;
  const found: Stretch[] = [];
  const sensor = { hours: { [INFERENCES]: hours[INFERENCES] ?? {} }, lastSeen };
  const range = { newest: Math.min(to, before), oldest: () => from - LONGEST_HOP };
  let documents = 0;
  for (const chunk of growingChunks(minutesDown(sensor, range, nowMs), DOCUMENTS.first, DOCUMENTS.mostOfRead)) {
    const ids = chunk.map(({ start }) => windowsDocumentId(sensorId, INFERENCES, start));
    const inferences = (await read(ids))
      .flatMap((document) => inferencesOf(document, nowMs))
      .filter(({ window: { start, end } }) => start < to && end > from && start < before)
      .toSorted((one, other) => other.window.start - one.window.start);
    for (const inference of inferences) {
      const oldest = found.at(-1);
      if (oldest?.takes(inference)) continue;
      if (found.length === limit) return { stretches: found.map((one) => one.item(sensorId)), next: oldest!.start };
      found.push(new Stretch(inference));
    }
    documents += ids.length;
    if (documents >= DOCUMENTS.mostOfPage)
      return { stretches: found.map((one) => one.item(sensorId)), next: chunk.at(-1)!.start };
  }
  return { stretches: found.map((one) => one.item(sensorId)), next: null };
}

function inferencesOf({ windows, expireAt }: WindowsDocument, nowMs: EpochMs): StoredInference[] {
  if (expireAt.getTime() <= nowMs) return [];
  return Object.values(windows).map((text) => valueOf<StoredInference>(text, INFERENCE_RANKS));
}

/** Inferences of one label and model that follow one another, taken from the newest back. */
class Stretch {
  #start: EpochMs;
  readonly #end: EpochMs;
  readonly #label: string | null;
  readonly #model: string;
  readonly #sums = new Map<string, number>();
  #inferences = 0;

  constructor(newest: StoredInference) {
    this.#start = newest.window.start;
    this.#end = newest.window.end;
    this.#label = newest.label;
    this.#model = newest.model;
    this.#add(newest);
  }

  /** First event time of the oldest inference. */
  get start(): EpochMs {
    return this.#start;
  }

  /** Takes an inference that is no newer, if it belongs here. */
  takes(older: StoredInference): boolean {
    const { label, model, window } = older;
    if (label !== this.#label || model !== this.#model || window.end < this.#start - TOUCHING) return false;
    this.#start = window.start;
    this.#add(older);
    return true;
  }

  item(sensorId: string): ActivityStretch {
    const means = [...this.#sums].map(([name, sum]) => [name, sum / this.#inferences] as const);
    return {
      sensorId,
      start: this.#start,
      end: this.#end,
      label: this.#label,
      probabilities: this.#label === null ? null : Object.fromEntries(means),
      inferences: this.#inferences,
      model: this.#model,
    };
  }

  #add({ probabilities }: StoredInference): void {
    this.#inferences++;
    for (const [name, probability] of Object.entries(probabilities ?? {}))
      this.#sums.set(name, (this.#sums.get(name) ?? 0) + probability);
  }
}
