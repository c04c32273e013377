import type { Bar } from "../../domain/api.ts";
import { windowMsOf } from "../../domain/imu.ts";
import type { EpochMs } from "../../domain/time.ts";
import { startOf } from "../shared/documents.ts";
import {
  BARS_DOCUMENT_MS,
  barsDocumentId,
  type BarsDocument,
  type StoredBar,
  type SymbolDocument,
} from "../shared/market-documents.ts";
import { valueOf } from "../shared/revised.ts";

/** Documents that are read at a time, and how often for one page. */
const DOCUMENTS_PER_READ = 24;
const READS_PER_PAGE = 20;

/** Which bars are wanted: those of an operator that overlap [from, to) and start before `before`. */
export interface BarsQuery {
  readonly symbol: string;
  readonly operator: string;
  readonly from?: EpochMs | undefined;
  readonly to?: EpochMs | undefined;
  readonly before?: EpochMs | undefined;
}

/** Bars, newest first. */
export interface FoundBars {
  readonly bars: readonly Bar[];
  /** The next page has what starts before this time; null when there is no more. */
  readonly next: EpochMs | null;
}

/**
 * At most `limit` bars that have not expired. Where bars are years apart a page may be shorter, even empty, and still
 * have a next one: a request reads a bounded number of documents.
 *
 * @param known Of the operator, from the symbol's document.
 * @param read Gives the documents of these ids that exist, in any order.
 */
export async function findBars(
  query: BarsQuery,
  known: NonNullable<SymbolDocument["bars"]>[string] | undefined,
  { limit, nowMs }: { readonly limit: number; readonly nowMs: EpochMs },
  read: (ids: readonly string[]) => Promise<readonly BarsDocument[]>,
): Promise<FoundBars> {
  if (!known) return { bars: [], next: null };
  const { symbol, operator, from = -Infinity, to = Infinity, before = Infinity } = query;
  const isWanted = ({ window: { start, end } }: StoredBar): boolean => start < to && end > from && start < before;
  const first = Math.max(known.first, hourOf(from - windowMsOf(operator)));
  const bars: Bar[] = [];
  // The newest hour that may hold a bar that starts before both bounds; they themselves are exclusive.
  let hour = hourOf(Math.min(known.last, to, before));
  for (let reads = 0; reads < READS_PER_PAGE && hour >= hourOf(first) && bars.length <= limit; reads++) {
    const hours = hoursDown(hour, first);
    const found = await read(hours.map((start) => barsDocumentId(symbol, operator, start)));
    const ofRead = found
      .filter(({ expireAt }) => expireAt.getTime() > nowMs)
      .flatMap((document) => Object.values(document.bars).map((text) => valueOf<StoredBar>(text)))
      .filter(isWanted)
      .toSorted((a, b) => b.window.start - a.window.start);
    bars.push(...ofRead);
    hour = hours.at(-1)! - BARS_DOCUMENT_MS;
  }
  if (bars.length > limit) return { bars: bars.slice(0, limit), next: bars[limit - 1]!.window.start };
  return { bars, next: hour >= hourOf(first) ? hour + BARS_DOCUMENT_MS : null };
}

function hourOf(time: EpochMs): EpochMs {
  return startOf(time, BARS_DOCUMENT_MS);
}

function hoursDown(newest: EpochMs, first: EpochMs): EpochMs[] {
  const count = Math.min(DOCUMENTS_PER_READ, (newest - hourOf(first)) / BARS_DOCUMENT_MS + 1);
  return Array.from({ length: count }, (_, i) => newest - i * BARS_DOCUMENT_MS);
}
