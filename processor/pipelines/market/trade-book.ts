import { barWindows, type TradeSide, tradeSides, type TradeStatus, tradeStatuses } from "../../../domain/market.ts";
import { type EpochMs, MINUTE } from "../../../domain/time.ts";
import type { Stamped } from "../../runtime/generations.ts";
import type { Piece } from "../../runtime/json-bytes.ts";
import type { KeyedState } from "../../runtime/keyed-state.ts";
import { hashOf, TradeIds } from "./trade-ids.ts";

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
  /** Its id: the bytes [idFrom, idTo) of `idBytes`, ASCII. */
  readonly idBytes: Uint8Array;
  readonly idFrom: number;
  readonly idTo: number;
  readonly firstTime: EpochMs;
  readonly price: number;
  readonly quantity: number;
  readonly amount: number;
  readonly currency: string;
  readonly side: TradeSide | null;
  readonly account: string | null;
}

/** Trades of a chunk, at most. */
const CHUNK_TRADES = 256;
/** Trades that a new chunk has room for: most symbols trade little in a minute. */
const FIRST_TRADES = 4;

// What the figures of a trade are.
export const TIME = 0;
export const NUMBER = 1;
export const PRICE = 2;
export const QUANTITY = 3;
export const AMOUNT = 4;
export const AMOUNT_USD = 5;
const FIGURES = 6;

// What the words of a trade are: indexes of `tradeSides` and `tradeStatuses`, 1 for yes, and where its id ends.
const SIDE = 0;
const STATUS = 1;
const IN_POSITION = 2;
const ID_END = 3;
const WORDS = 4;
const NO_SIDE = 255;
/** Bytes for the ids of a new chunk. */
const FIRST_ID_BYTES = 16 * FIRST_TRADES;

const NO_ALERTS: readonly RaisedAlert[] = Object.freeze([]);

/**
 * Trades of one minute that one entry of a snapshot holds, in the order of their first sight. They are columns, so that
 * a trade costs no object.
 */
export class Chunk implements Stamped {
  readonly minute: EpochMs;
  /** Counts the chunks of a minute. */
  readonly number: number;
  /** Where its book has it. */
  readonly slot: number;
  generation = -1;
  changed = false;
  size = 0;
  figures = new Float64Array(FIRST_TRADES * FIGURES);
  /** Ids, one behind the other. */
  #ids: Buffer = Buffer.allocUnsafeSlow(FIRST_ID_BYTES);
  readonly currencies: string[] = [];
  readonly accounts: (string | null)[] = [];
  /** Side, status, whether it is in its account's position, and where its id ends: the ids of a chunk have 16 KB. */
  words = new Uint16Array(FIRST_TRADES * WORDS);
  /** Alerts of the trades that raised any, in the order in which they were raised. */
  readonly raised = new Map<number, readonly RaisedAlert[]>();

  constructor(minute: EpochMs, number: number, slot: number) {
    this.minute = minute;
    this.number = number;
    this.slot = slot;
  }

  get isFull(): boolean {
    return this.size >= CHUNK_TRADES;
  }

  /** `number`: counts the symbol's trades by their first sight. */
  add(content: TradeContent, number: number, status: TradeStatus, amountUsd: number): BookedTrade {
    const row = this.size++;
    const at = row * FIGURES;
    if (at === this.figures.length) {
      const larger = new Float64Array(2 * at);
      larger.set(this.figures);
      this.figures = larger;
      const more = new Uint16Array(2 * row * WORDS);
      more.set(this.words);
      this.words = more;
    }
    const { figures } = this;
    figures[at + TIME] = content.firstTime;
    figures[at + NUMBER] = number;
    figures[at + PRICE] = content.price;
    figures[at + QUANTITY] = content.quantity;
    figures[at + AMOUNT] = content.amount;
    figures[at + AMOUNT_USD] = amountUsd;
    const idEnd = this.#addId(content, row);
    this.currencies.push(content.currency);
    this.accounts.push(content.account);
    const words = row * WORDS;
    this.words[words + SIDE] = content.side === null ? NO_SIDE : tradeSides.indexOf(content.side);
    this.words[words + STATUS] = tradeStatuses.indexOf(status);
    this.words[words + IN_POSITION] = 0;
    this.words[words + ID_END] = idEnd;
    return new BookedTrade(this, row);
  }

  /** @returns Where the id ends. */
  #addId({ idBytes, idFrom, idTo }: TradeContent, row: number): number {
    const from = this.#idEnd(row - 1);
    const end = from + idTo - idFrom;
    if (end > this.#ids.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#ids.length, end));
      larger.set(this.#ids);
      this.#ids = larger;
    }
    for (let i = 0; i < idTo - idFrom; i++) this.#ids[from + i] = idBytes[idFrom + i]!;
    return end;
  }

  /** Where the id of a row ends; 0 for the row before the first. */
  #idEnd(row: number): number {
    return row < 0 ? 0 : this.words[row * WORDS + ID_END]!;
  }

  idOf(row: number): string {
    return this.#ids.toString("latin1", this.#idEnd(row - 1), this.#idEnd(row));
  }

  /** Whether the id of a row is the bytes [from, to). */
  hasId(row: number, bytes: Uint8Array, from: number, to: number): boolean {
    const own = this.#idEnd(row - 1);
    const length = to - from;
    if (this.#idEnd(row) - own !== length) return false;
    for (let i = 0; i < length; i++) if (this.#ids[own + i] !== bytes[from + i]) return false;
    return true;
  }

  /** `hashOf` the id of a row. */
  hashOf(row: number, seed: number): number {
    return hashOf(this.#ids, this.#idEnd(row - 1), this.#idEnd(row), seed);
  }

  clear(): void {
    this.size = 0;
    this.currencies.length = this.accounts.length = 0;
    this.raised.clear();
  }

  *trades(): Iterable<BookedTrade> {
    for (let row = 0; row < this.size; row++) yield new BookedTrade(this, row);
  }
}

/** A trade whose id is kept: its content, and what was made of it. It is a row of a chunk. */
export class BookedTrade {
  /** Where it is in the book. */
  readonly chunk: Chunk;
  readonly #row: number;

  constructor(chunk: Chunk, row: number) {
    this.chunk = chunk;
    this.#row = row;
  }

  /** Its figures begin at `at` in these. */
  get figures(): Float64Array {
    return this.chunk.figures;
  }

  get at(): number {
    return this.#row * FIGURES;
  }

  get id(): string {
    return this.chunk.idOf(this.#row);
  }

  get time(): EpochMs {
    return this.chunk.figures[this.#row * FIGURES + TIME]!;
  }

  /** Counts the symbol's trades by their first sight. */
  get number(): number {
    return this.chunk.figures[this.#row * FIGURES + NUMBER]!;
  }

  get price(): number {
    return this.chunk.figures[this.#row * FIGURES + PRICE]!;
  }

  get quantity(): number {
    return this.chunk.figures[this.#row * FIGURES + QUANTITY]!;
  }

  get amount(): number {
    return this.chunk.figures[this.#row * FIGURES + AMOUNT]!;
  }

  /** The amount in US dollars by the reference data of the step in which it became executed; NaN for none. */
  get amountUsd(): number {
    return this.chunk.figures[this.#row * FIGURES + AMOUNT_USD]!;
  }

  set amountUsd(amount: number) {
    this.chunk.figures[this.#row * FIGURES + AMOUNT_USD] = amount;
  }

  get currency(): string {
    return this.chunk.currencies[this.#row]!;
  }

  get side(): TradeSide | null {
    return tradeSides[this.chunk.words[this.#row * WORDS + SIDE]!] ?? null;
  }

  get account(): string | null {
    return this.chunk.accounts[this.#row]!;
  }

  get status(): TradeStatus {
    return tradeStatuses[this.chunk.words[this.#row * WORDS + STATUS]!]!;
  }

  set status(status: TradeStatus) {
    this.chunk.words[this.#row * WORDS + STATUS] = tradeStatuses.indexOf(status);
  }

  /** Whether it is in its account's position. */
  get inPosition(): boolean {
    return this.chunk.words[this.#row * WORDS + IN_POSITION] === 1;
  }

  set inPosition(is: boolean) {
    this.chunk.words[this.#row * WORDS + IN_POSITION] = is ? 1 : 0;
  }

  /** In the order in which they were raised. */
  get raised(): readonly RaisedAlert[] {
    return this.chunk.raised.get(this.#row) ?? NO_ALERTS;
  }

  set raised(alerts: readonly RaisedAlert[]) {
    if (alerts.length > 0) this.chunk.raised.set(this.#row, alerts);
    else this.chunk.raised.delete(this.#row);
  }

  /** A number that names it in its book. */
  get handle(): number {
    return this.chunk.slot * CHUNK_TRADES + this.#row;
  }
}

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
  /** How many trades the books keep. */
  trades = 0;
  readonly #minutes = new Map<EpochMs, Set<TradeBook>>();

  /** The oldest minute that a book has trades of. */
  get oldest(): EpochMs {
    return Math.min(...this.#minutes.keys());
  }

  booksOf(minute: EpochMs): TradeBook[] {
    return [...(this.#minutes.get(minute) ?? [])];
  }

  add(book: TradeBook, minute: EpochMs): void {
    const books = this.#minutes.get(minute);
    if (books) books.add(book);
    else this.#minutes.set(minute, new Set([book]));
  }

  forget(book: TradeBook, minute: EpochMs): void {
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
  readonly #ids = new TradeIds({
    hasId: (handle, bytes, from, to) => this.#chunkOf(handle).hasId(handle % CHUNK_TRADES, bytes, from, to),
    hashOf: (handle, seed) => this.#chunkOf(handle).hashOf(handle % CHUNK_TRADES, seed),
  });
  /** Chunks by their slot. */
  readonly #slots: (Chunk | null)[] = [];
  readonly #freeSlots: number[] = [];
  /** Sorted by start. */
  readonly #minutes: Minute[] = [];
  /** The newest minute that was let go because the partition kept too many trades; infinite when none was. */
  letGoUpTo: EpochMs = -Infinity;
  /** Trades that it has had. */
  count = 0;
  /** `headOf` the symbol; null before its first trade. */
  head: Piece | null = null;
  /** The key that the book is of; null for an empty one. */
  keyed: KeyedState | null = null;

  constructor(index: BookIndex) {
    this.#index = index;
  }

  find({ idBytes, idFrom, idTo }: Pick<TradeContent, "idBytes" | "idFrom" | "idTo">): BookedTrade | undefined {
    const handle = this.#ids.find(idBytes, idFrom, idTo);
    return handle < 0 ? undefined : new BookedTrade(this.#chunkOf(handle), handle % CHUNK_TRADES);
  }

  #chunkOf(handle: number): Chunk {
    return this.#slots[Math.floor(handle / CHUNK_TRADES)]!;
  }

  /** Adds a trade to its minute's newest chunk. */
  add(content: TradeContent, status: TradeStatus, amountUsd: number): BookedTrade {
    const minute = this.#minuteAt(minuteOf(content.firstTime));
    let chunk = minute.chunks.at(-1);
    if (!chunk || chunk.isFull) chunk = this.#addChunk(minute, (chunk?.number ?? -1) + 1);
    const trade = chunk.add(content, this.count++, status, amountUsd);
    this.#ids.add(trade.handle);
    this.#index.trades++;
    if (status === "executed") countAccount(minute, content.account, 1);
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
      for (const chunk of minute.chunks)
        for (const trade of chunk.trades()) if (trade.status === "executed") yield trade;
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
      for (const chunk of own) {
        const { size, slot } = chunk;
        this.#forgetIds(chunk);
        this.#index.trades -= size;
        this.#slots[slot] = null;
        this.#freeSlots.push(slot);
      }
      this.#index.forget(this, start);
      chunks.push(...own);
    }
    return chunks;
  }

  #forgetIds({ slot, size }: Chunk): void {
    for (let row = 0; row < size; row++) this.#ids.delete(slot * CHUNK_TRADES + row);
  }

  *chunks(): Iterable<Chunk> {
    for (const minute of this.#minutes) yield* minute.chunks;
  }

  /** Takes a chunk back, in the place of an older encoding of it. */
  restore(minuteStart: EpochMs, number: number, decode: (chunk: Chunk) => void): Chunk {
    const minute = this.#minuteAt(minuteStart);
    const chunk = minute.chunks.find((one) => one.number === number) ?? this.#addChunk(minute, number);
    this.#index.trades -= chunk.size;
    this.#forgetIds(chunk);
    chunk.clear();
    decode(chunk);
    this.#index.trades += chunk.size;
    for (const trade of chunk.trades()) this.#ids.add(trade.handle);
    return chunk;
  }

  #minuteAt(start: EpochMs): Minute {
    const newest = this.#minutes.at(-1);
    if (newest?.start === start) return newest;
    const at = this.#minutes.findLastIndex((minute) => minute.start <= start);
    const found = this.#minutes[at];
    if (found?.start === start) return found;
    const minute: Minute = { start, chunks: [], accounts: null };
    this.#minutes.splice(at + 1, 0, minute);
    this.#index.add(this, start);
    return minute;
  }

  #addChunk(minute: Minute, number: number): Chunk {
    const slot = this.#freeSlots.pop() ?? this.#slots.length;
    const chunk = new Chunk(minute.start, number, slot);
    this.#slots[slot] = chunk;
    minute.chunks.push(chunk);
    minute.chunks.sort((a, b) => a.number - b.number);
    return chunk;
  }
}

function countAccount({ accounts }: Minute, account: string | null, by: number): void {
  if (accounts && account !== null) accounts.set(account, (accounts.get(account) ?? 0) + by);
}
