import type { Cause } from "../../../domain/records.ts";
import type { Reference } from "../../../domain/reference.ts";
import type { Semantics } from "../../../domain/semantics.ts";
import type { EpochMs } from "../../../domain/time.ts";
import { type Reader, Writer } from "../../runtime/codec.ts";
import type { OperatorFacts } from "../../runtime/facts.ts";
import type { Generations } from "../../runtime/generations.ts";
import { Piece } from "../../runtime/json-bytes.ts";
import type { KeyedState } from "../../runtime/keyed-state.ts";
import type { StateEntry } from "../../runtime/machine.ts";
import type { Items, Operator, StepContext } from "../../runtime/operator.ts";
import { amountUsd, headOf, writeTrade } from "./enrich.ts";
import type { ReferenceData } from "./reference-data.ts";
import { type BookIndex, type Chunk, goneAt, minuteOf, TradeBook } from "./trade-book.ts";
import { decodeTrades, encodeTrades } from "./trade-codec.ts";
import type { TradeMessage } from "./trade-message.ts";

/** The last fields of enriched trades, which reference data gives: those of symbols with flags, and of all others. */
interface Ends {
  readonly of: Reference | null;
  readonly flagged: ReadonlyMap<string, Piece>;
  readonly usual: Piece;
}

function endsOf(reference: Reference | null): Ends {
  const end = (flags: readonly string[]): Piece =>
    new Piece(`,"flags":${JSON.stringify(flags)},"reference":${JSON.stringify(reference?.version ?? null)}`);
  const flagged = Object.entries(reference?.flags ?? {}).map(([symbol, flags]) => [symbol, end(flags)] as const);
  return { of: reference, flagged: new Map(flagged), usual: end([]) };
}

/** Where enriched trades go, and what is shared by all keys of a partition. */
export interface EnrichOptions extends Pick<Semantics, "allowedLatenessMs"> {
  readonly to: string;
  readonly reference: ReferenceData;
  readonly index: BookIndex;
}

/**
 * The first operator: it keeps the book of the symbol's trades, tells those behind it what a message changes, and
 * writes the enriched trade. Trades that no bar takes any more leave it untouched.
 */
export class EnrichOperator implements Operator<TradeBook, TradeMessage> {
  readonly name = "enrich";
  readonly layout = 1;
  readonly #options: EnrichOptions;
  #ends = endsOf(null);
  /** Chunks that have changed since they were encoded, with the key that they are of. */
  readonly #changed = new Map<Chunk, KeyedState>();
  readonly items: Items<TradeBook>;

  constructor(options: EnrichOptions) {
    this.#options = options;
    this.items = {
      encodeChanges: this.#encodeChanges.bind(this),
      restore: this.#restore.bind(this),
      rewriteUpTo: this.#rewriteUpTo.bind(this),
    };
  }

  create(): TradeBook {
    return new TradeBook(this.#options.index);
  }

  apply(book: TradeBook, keyed: KeyedState, message: TradeMessage, watermark: EpochMs, context: StepContext): void {
    const { reference, to } = this.#options;
    message.tooLate = this.isTooLate(book, keyed, message.firstTime, watermark);
    message.trade = null;
    if (message.tooLate) return;
    const version = reference.inForce;
    const usd = amountUsd(message, version);
    this.#book(book, keyed, message, usd);
    const { key } = message;
    if (version !== this.#ends.of) this.#ends = endsOf(version);
    const bytes = context.out.open(to);
    bytes.piece((book.head ??= headOf(key)));
    writeTrade(bytes, message, usd);
    bytes.piece(this.#ends.flagged.get(key) ?? this.#ends.usual);
    context.out.close(key);
  }

  /** Whether no bar takes a trade of this time any more. */
  isTooLate(book: TradeBook, keyed: KeyedState, time: EpochMs, watermark: EpochMs): boolean {
    const minute = minuteOf(time);
    if (minute <= keyed.finalUpTo || minute <= book.letGoUpTo) return true;
    return watermark >= goneAt(minute, this.#options.allowedLatenessMs);
  }

  #book(book: TradeBook, keyed: KeyedState, message: TradeMessage, usd: number | null): void {
    const { known, status } = message;
    message.statusBefore = known?.status ?? null;
    message.book = book;
    if (known) {
      if (status === "executed") known.amountUsd = usd ?? NaN;
      book.change(known, status);
      message.trade = known;
    } else {
      book.keyed = keyed;
      message.trade = book.add(message, status, usd ?? NaN);
    }
    this.#markChanged(message.trade.chunk, keyed);
  }

  #markChanged(chunk: Chunk, keyed: KeyedState): void {
    if (chunk.changed) return;
    chunk.changed = true;
    this.#changed.set(chunk, keyed);
  }

  /** Lets the oldest minutes of the partition go, of all its symbols, until no more than `max` trades are kept. */
  letGo(max: number, context: StepContext): void {
    const { index } = this.#options;
    while (index.trades > max) {
      const minute = index.oldest;
      for (const book of index.booksOf(minute)) {
        const chunks = book.forgetUpTo(minute);
        for (const { size } of chunks) context.counters.add("processor.trades-let-go", size);
        this.#forget(chunks, context.generations);
        book.letGoUpTo = minute;
        context.markChanged(book.keyed!);
      }
    }
  }

  fire(book: TradeBook, _keyed: KeyedState, _to: EpochMs, watermark: EpochMs, _: Cause, context: StepContext): void {
    const { allowedLatenessMs } = this.#options;
    if (watermark < goneAt(book.oldest, allowedLatenessMs)) return;
    const gone = minuteOf(watermark - goneAt(0, allowedLatenessMs));
    this.#forget(book.forgetUpTo(gone), context.generations);
  }

  dueAt(book: TradeBook): EpochMs {
    return goneAt(book.oldest, this.#options.allowedLatenessMs);
  }

  drop(book: TradeBook, context: StepContext): void {
    this.#forget(book.forgetUpTo(Infinity), context.generations);
  }

  facts(book: TradeBook): OperatorFacts {
    let trades = 0;
    for (const { size } of book.chunks()) trades += size;
    return { trades };
  }

  #forget(chunks: readonly Chunk[], generations: Generations): void {
    for (const chunk of chunks) {
      generations.forget(chunk);
      this.#changed.delete(chunk);
    }
  }

  /** The trades are in items. */
  encode({ letGoUpTo, count }: TradeBook, writer: Writer): void {
    writer.f64(letGoUpTo);
    writer.f64(count);
  }

  decode(reader: Reader): TradeBook {
    const book = this.create();
    book.letGoUpTo = reader.f64();
    book.count = reader.f64();
    return book;
  }

  #encodeChanges(generation: number, generations: Generations, take: (entry: StateEntry) => void): void {
    const writer = new Writer();
    for (const [chunk, keyed] of this.#changed) {
      writer.f64(keyed.life);
      writer.f64(chunk.minute);
      writer.u32(chunk.number);
      encodeTrades(chunk, writer);
      generations.stamp(chunk, generation);
      take({ key: `${keyed.key}/${chunk.minute}.${chunk.number}`, value: writer.take() });
    }
    this.#changed.clear();
  }

  #restore(
    book: TradeBook,
    keyed: KeyedState,
    reader: Reader,
    watermark: EpochMs,
    generation: number,
    generations: Generations,
  ): void {
    if (reader.f64() !== keyed.life) return;
    const minute = reader.f64();
    if (this.isTooLate(book, keyed, minute, watermark)) return;
    book.keyed = keyed;
    generations.stamp(
      book.restore(minute, reader.u32(), (chunk) => decodeTrades(reader, chunk)),
      generation,
    );
  }

  #rewriteUpTo(book: TradeBook, keyed: KeyedState, generation: number): void {
    for (const chunk of book.chunks()) if (chunk.generation <= generation) this.#markChanged(chunk, keyed);
  }
}
