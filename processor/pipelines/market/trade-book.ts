import { barWindows, type TradeSide, type TradeStatus } from "../../../domain/market.ts";
import { type EpochMs, MINUTE } from "../../../domain/time.ts";
import type { Stamped } from "../../runtime/generations.ts";
import type { KeyedState } from "../../runtime/keyed-state.ts";

/** An alert that a trade raised, as its record has it. */
export interface RaisedAlert {
  readonly rule: string;
  readonly kind: string;
  readonly severity: string;
  readonly figure: number | null;
  readonly limit: number | null;
  readonly reference: string | null;
}

/** What a trade says. Figures that it has not are NaN. */
export interface TradeContent {
  readonly tradeId: string;
  readonly firstTime: EpochMs;
  readonly price: number;
  readonly quantity: number;
  readonly amount: number;
  readonly currency: string;
  readonly side: TradeSide | null;
  readonly account: string | null;
}

/** A trade whose id is kept: its content, and what was made of it. */
export class BookedTrade {
  readonly id: string;
  readonly time: EpochMs;
  readonly price: number;
  readonly quantity: number;
  readonly amount: number;
  readonly currency: string;
  readonly side: TradeSide | null;
  readonly account: string | null;
  /** Counts the symbol's trades by their first sight. */
  readonly number: number;
  status: TradeStatus;
  /** The amount in US dollars by the reference data of the step in which it became executed; NaN for none. */
  amountUsd: number;
  /** Whether it is in its account's position. */
  inPosition = false;
  /** In the order in which they were raised. */
  raised: readonly RaisedAlert[] = NO_ALERTS;
  /** Where it is in the book. */
  readonly chunk: Chunk;

  constructor(content: TradeContent, number: number, status: TradeStatus, amountUsd: number, chunk: Chunk) {
    this.id = content.tradeId;
    this.time = content.firstTime;
    this.price = content.price;
    this.quantity = content.quantity;
    this.amount = content.amount;
    this.currency = content.currency;
    this.side = content.side;
    this.account = content.account;
    this.number = number;
    this.status = status;
    this.amountUsd = amountUsd;
    this.chunk = chunk;
  }
}

const NO_ALERTS: readonly RaisedAlert[] = Object.freeze([]);

/** Trades of one minute that one entry of a snapshot holds, in the order of their first sight. */
export interface Chunk extends Stamped {
  readonly minute: EpochMs;
  /** Counts the chunks of a minute. */
  readonly number: number;
  trades: readonly BookedTrade[];
}

/** Trades of a chunk, at most. */
const CHUNK_TRADES = 256;
/** How long after the start of a minute the last bar ends that its trades are in. */
const LAST_BAR_END = Math.max(...barWindows.map(({ windowMs }) => windowMs));

interface Minute {
  readonly start: EpochMs;
  readonly chunks: Chunk[];
  /** Executed trades by account; null until somebody asks. */
  accounts: Map<string, number> | null;
}

/** The minute of event time that a time is in. */
export function minuteOf(time: EpochMs): EpochMs {
  return Math.floor(time / MINUTE) * MINUTE;
}

/** The watermark at which no bar takes trades of a minute any more. */
export function goneAt(minute: EpochMs, allowedLatenessMs: number): EpochMs {
  return minute + LAST_BAR_END + allowedLatenessMs;
}

/** How many trades the books of a partition keep, and which of them have trades of which minute. */
export class BookIndex {
  #trades = 0;
  readonly #minutes = new Map<EpochMs, Set<TradeBook>>();

  get trades(): number {
    return this.#trades;
  }

  /** The oldest minute that a book has trades of. */
  get oldest(): EpochMs {
    return Math.min(...this.#minutes.keys());
  }

  booksOf(minute: EpochMs): TradeBook[] {
    return [...(this.#minutes.get(minute) ?? [])];
  }

  add(book: TradeBook, minute: EpochMs, trades: number): void {
    this.#trades += trades;
    const books = this.#minutes.get(minute);
    if (books) books.add(book);
    else this.#minutes.set(minute, new Set([book]));
  }

  forget(book: TradeBook, minute: EpochMs, trades: number): void {
    this.#trades -= trades;
    const books = this.#minutes.get(minute);
    books?.delete(book);
    if (books?.size === 0) this.#minutes.delete(minute);
  }
}

/**
 * The trades of one symbol whose ids are kept: those that a bar could still take, by the minute of their event time.
 * Ids and contents are compared as they are, so that the answer is exact.
 */
export class TradeBook {
  readonly #index: BookIndex;
  readonly #ids = new Map<string, BookedTrade>();
  /** Sorted by start. */
  readonly #minutes: Minute[] = [];
  /** The newest minute that was let go because the partition kept too many trades; infinite when none was. */
  letGoUpTo: EpochMs = -Infinity;
  /** Trades that it has had. */
  count = 0;
  /** The key that the book is of; null for an empty one. */
  keyed: KeyedState | null = null;

  constructor(index: BookIndex) {
    this.#index = index;
  }

  find(id: string): BookedTrade | undefined {
    return this.#ids.get(id);
  }

  /** Adds a trade to its minute's newest chunk. */
  add(content: TradeContent, status: TradeStatus, amountUsd: number): BookedTrade {
    const minute = this.#minuteAt(minuteOf(content.firstTime));
    let chunk = minute.chunks.at(-1);
    if (!chunk || chunk.trades.length >= CHUNK_TRADES) chunk = addChunk(minute, (chunk?.number ?? -1) + 1);
    const trade = new BookedTrade(content, this.count++, status, amountUsd, chunk);
    (chunk.trades as BookedTrade[]).push(trade);
    this.#ids.set(trade.id, trade);
    this.#index.add(this, minute.start, 1);
    if (trade.status === "executed") countAccount(minute, trade.account, 1);
    return trade;
  }

  /** Gives a trade another status. */
  change(trade: BookedTrade, status: TradeStatus): void {
    const minute = this.#minuteAt(trade.chunk.minute);
    if (trade.status === "executed") countAccount(minute, trade.account, -1);
    if (status === "executed") countAccount(minute, trade.account, 1);
    trade.status = status;
  }

  /** Executed trades in [start, end), whole minutes; of each minute in the order of their first sight. */
  *executedIn(start: EpochMs, end: EpochMs): Iterable<BookedTrade> {
    for (const minute of this.#minutes) {
      if (minute.start < start || minute.start >= end) continue;
      for (const { trades } of minute.chunks) for (const trade of trades) if (trade.status === "executed") yield trade;
    }
  }

  /** Executed trades of an account in a minute. */
  tradesOf(account: string, minuteStart: EpochMs): number {
    const minute = this.#minuteAt(minuteStart);
    if (minute.accounts === null) {
      minute.accounts = new Map();
      for (const trade of this.executedIn(minuteStart, minuteStart + MINUTE)) countAccount(minute, trade.account, 1);
    }
    return minute.accounts.get(account) ?? 0;
  }

  /** The oldest minute; infinite when there is none. */
  get oldest(): EpochMs {
    return this.#minutes[0]?.start ?? Infinity;
  }

  /** Forgets the minutes up to this one, inclusive. Gives their chunks. */
  forgetUpTo(minute: EpochMs): Chunk[] {
    const gone = this.#minutes.findLastIndex(({ start }) => start <= minute) + 1;
    const chunks: Chunk[] = [];
    for (const { start, chunks: own } of this.#minutes.splice(0, gone)) {
      const trades = own.flatMap((chunk) => chunk.trades);
      for (const { id } of trades) this.#ids.delete(id);
      this.#index.forget(this, start, trades.length);
      chunks.push(...own);
    }
    return chunks;
  }

  *chunks(): Iterable<Chunk> {
    for (const minute of this.#minutes) yield* minute.chunks;
  }

  /** Takes a chunk back, in the place of an older encoding of it. */
  restore(minuteStart: EpochMs, number: number, decode: (chunk: Chunk) => readonly BookedTrade[]): Chunk {
    const minute = this.#minuteAt(minuteStart);
    const chunk = minute.chunks.find((one) => one.number === number) ?? addChunk(minute, number);
    const before = chunk.trades.length;
    chunk.trades = decode(chunk);
    this.#index.add(this, minuteStart, chunk.trades.length - before);
    for (const trade of chunk.trades) this.#ids.set(trade.id, trade);
    return chunk;
  }

  #minuteAt(start: EpochMs): Minute {
    const at = this.#minutes.findLastIndex((minute) => minute.start <= start);
    const found = this.#minutes[at];
    if (found?.start === start) return found;
    const minute: Minute = { start, chunks: [], accounts: null };
    this.#minutes.splice(at + 1, 0, minute);
    return minute;
  }
}

function addChunk(minute: Minute, number: number): Chunk {
  const chunk: Chunk = { minute: minute.start, number, trades: [], generation: -1, changed: false };
  minute.chunks.push(chunk);
  minute.chunks.sort((a, b) => a.number - b.number);
  return chunk;
}

function countAccount({ accounts }: Minute, account: string | null, by: number): void {
  if (accounts && account !== null) accounts.set(account, (accounts.get(account) ?? 0) + by);
}
