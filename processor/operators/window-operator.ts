import { MillraceError } from "../../domain/errors.ts";
import { windowOperatorName } from "../../domain/imu.ts";
import type { Cause } from "../../domain/records.ts";
import type { EpochMs, Milliseconds } from "../../domain/time.ts";
import { type Reader, Writer } from "../runtime/codec.ts";
import type { OperatorFacts, WindowFacts } from "../runtime/facts.ts";
import type { Generations } from "../runtime/generations.ts";
import type { KeyedState } from "../runtime/keyed-state.ts";
import { emitLate, type LateOutput } from "../runtime/late.ts";
import type { StateEntry } from "../runtime/machine.ts";
import type { Message } from "../runtime/message.ts";
import type { Items, Operator, StepContext } from "../runtime/operator.ts";
import type { Aggregate } from "./aggregate.ts";
import { assignWindows } from "./assign-windows.ts";
import { ACCUMULATOR, CHANGED, COUNT, DUE, FIRED, GENERATION, START, WindowTable } from "./window-table.ts";

/** Settings of a window operator; times in milliseconds. */
export interface WindowOptions<M extends Message> {
  /** Names the operator in snapshots and in late records. @default window */
  readonly name?: string;
  readonly windowMs: Milliseconds;
  readonly slideMs: Milliseconds;
  readonly allowedLatenessMs: Milliseconds;
  readonly aggregate: Aggregate<M>;
  /** Topic of the results. */
  readonly to: string;
  /** The field of a result that holds the key. */
  readonly keyField: string;
  readonly late: LateOutput<M>;
  /** Whether a window misses a message for another reason than the watermark. @default none does */
  readonly misses?: (message: M, start: EpochMs) => boolean;
  /** Hears of each result that is written; the object is only lent. */
  readonly fired?: (key: string, start: EpochMs, result: object) => void;
}

/** The windows [start, start + size) of one key: rows of the table, sorted by start. */
interface KeyWindows {
  /** All that are kept. */
  readonly all: number[];
  /** Those that wait to fire. */
  readonly due: number[];
  /** Start of the first window that has changed since it was encoded; infinite when none has. */
  changedFrom: EpochMs;
}

/**
 * Tumbling and sliding windows by event time. A window fires when the watermark reaches its end. A later reading makes
 * it fire again with the next revision. When the watermark has reached end + allowed lateness, or when the key was made
 * final behind the window's start, the window is gone: its readings go to the late topic.
 */
export class WindowOperator<M extends Message> implements Operator<KeyWindows, M> {
  readonly name: string;
  readonly layout = 1;
  readonly #options: WindowOptions<M>;
  readonly #operator: string;
  readonly #table: WindowTable;
  /** Keys with windows that have changed since they were encoded. */
  #changed: { readonly windows: KeyWindows; readonly keyed: KeyedState }[] = [];
  /** Windows of the message at hand, as `assignWindows` finds them. */
  readonly #found: number[] = [];
  /** Windows that the message at hand makes fire again. */
  readonly #again: number[] = [];
  readonly items: Items<KeyWindows>;

  constructor(options: WindowOptions<M>) {
    this.#options = options;
    this.name = options.name ?? "window";
    this.#operator = windowOperatorName(options.windowMs, options.slideMs);
    this.#table = new WindowTable(options.aggregate.size);
    this.items = {
      encodeChanges: this.#encodeChanges.bind(this),
      restore: this.#restore.bind(this),
      rewriteUpTo: this.#rewriteUpTo.bind(this),
    };
  }

  create(): KeyWindows {
    return { all: [], due: [], changedFrom: Infinity };
  }

  apply(windows: KeyWindows, keyed: KeyedState, message: M, watermark: EpochMs, context: StepContext): void {
    const { windowMs, slideMs, allowedLatenessMs, aggregate, late, misses } = this.#options;
    const table = this.#table;
    const again = this.#again;
    again.length = 0;
    const found = this.#found;
    const count = assignWindows(message, windowMs, slideMs, found);
    let position = windows.all.length - count / 3; // where the first of them is, if they are the newest
    for (let i = 0; i < count; i += 3) {
      const start = found[i]!;
      const from = found[i + 1]!;
      const to = found[i + 2]!;
      const end = start + windowMs;
      const isFinal = start <= keyed.finalUpTo || watermark >= end + allowedLatenessMs;
      if (isFinal || misses?.(message, start)) {
        emitLate(late, message, this.name, { start, end }, from, to, context);
        continue;
      }
      position = this.#positionOf(windows, start, position);
      const window = windows.all[position++]!;
      const chunk = table.chunk(window);
      const at = table.at(window);
      const before = chunk[at + COUNT]!;
      aggregate.fold(chunk, at + ACCUMULATOR, before, message, from, to, start);
      chunk[at + COUNT] = before + to - from;
      this.#markChanged(windows, keyed, window, start);
      if (watermark >= end) again.push(window);
      else if (chunk[at + DUE] === 0) this.#makeDue(windows, window);
    }
    for (const window of again) this.#emit(windows, keyed, window, "late", context);
  }

  fire(
    windows: KeyWindows,
    keyed: KeyedState,
    upTo: EpochMs,
    watermark: EpochMs,
    cause: Cause,
    context: StepContext,
  ): void {
    const { windowMs, allowedLatenessMs } = this.#options;
    const table = this.#table;
    const { due, all } = windows;
    let fired = 0;
    while (fired < due.length && table.start(due[fired]!) + windowMs <= upTo) {
      const window = due[fired++]!;
      table.chunk(window)[table.at(window) + DUE] = 0;
      this.#emit(windows, keyed, window, cause, context);
    }
    if (fired > 0) due.splice(0, fired);
    let gone = 0;
    while (gone < all.length && watermark >= table.start(all[gone]!) + windowMs + allowedLatenessMs) {
      this.#forget(all[gone++]!, context.generations);
    }
    if (gone > 0) all.splice(0, gone);
  }

  dueAt(windows: KeyWindows): EpochMs {
    return windows.due.length > 0 ? this.#table.start(windows.due[0]!) + this.#options.windowMs : Infinity;
  }

  drop(windows: KeyWindows, context: StepContext): void {
    for (const window of windows.all) this.#forget(window, context.generations);
    windows.all.length = 0;
  }

  facts({ all }: KeyWindows): OperatorFacts {
    return { windows: all.map((window) => this.#factsOf(window)) };
  }

  #factsOf(window: number): WindowFacts {
    const chunk = this.#table.chunk(window);
    const at = this.#table.at(window);
    const start = chunk[at + START]!;
    return {
      operator: this.#operator,
      start,
      end: start + this.#options.windowMs,
      count: chunk[at + COUNT]!,
      fired: chunk[at + FIRED]!,
      due: chunk[at + DUE] === 1,
    };
  }

  /** Writes nothing: all state is in items. */
  encode(): void {}

  decode(): KeyWindows {
    return this.create();
  }

  /** The position of a window, which may be a new one, among all that are kept. `guess`: where it may be. */
  #positionOf({ all }: KeyWindows, start: EpochMs, guess: number): number {
    const table = this.#table;
    if (guess >= 0 && guess < all.length && table.start(all[guess]!) === start) return guess;
    const at = table.lowerBound(all, start);
    if (at === all.length) all.push(table.take(start));
    else if (table.start(all[at]!) !== start) all.splice(at, 0, table.take(start));
    return at;
  }

  #makeDue(windows: KeyWindows, window: number): void {
    const table = this.#table;
    table.chunk(window)[table.at(window) + DUE] = 1;
    table.insert(windows.due, window);
  }

  #markChanged(windows: KeyWindows, keyed: KeyedState, window: number, start: EpochMs): void {
    const table = this.#table;
    table.chunk(window)[table.at(window) + CHANGED] = 1;
    if (windows.changedFrom === Infinity) this.#changed.push({ windows, keyed });
    if (start < windows.changedFrom) windows.changedFrom = start;
  }

  #forget(window: number, generations: Generations): void {
    const table = this.#table;
    generations.move(table.chunk(window)[table.at(window) + GENERATION]!, -1);
    table.giveBack(window);
  }

  #emit(windows: KeyWindows, keyed: KeyedState, window: number, cause: Cause, context: StepContext): void {
    const { to, keyField, aggregate, windowMs, fired } = this.#options;
    const chunk = this.#table.chunk(window);
    const at = this.#table.at(window);
    const start = chunk[at + START]!;
    const count = chunk[at + COUNT]!;
    const revision = chunk[at + FIRED]!;
    chunk[at + FIRED] = revision + 1;
    context.counters.add("processor.windows");
    this.#markChanged(windows, keyed, window, start);
    const result = aggregate.result(chunk, at + ACCUMULATOR, count);
    fired?.(keyed.key, start, result);
    context.out.json(to, keyed.key, {
      [keyField]: keyed.key,
      operator: this.#operator,
      window: { start, end: start + windowMs },
      revision,
      cause,
      count,
      ...result,
    });
  }

  #encodeChanges(generation: number, generations: Generations, take: (entry: StateEntry) => void): void {
    const writer = new Writer();
    const table = this.#table;
    for (const { windows, keyed } of this.#changed) {
      for (let i = table.lowerBound(windows.all, windows.changedFrom); i < windows.all.length; i++) {
        const window = windows.all[i]!;
        const chunk = table.chunk(window);
        const at = table.at(window);
        if (chunk[at + CHANGED] === 0) continue;
        this.#stamp(window, generation, generations);
        const start = chunk[at + START]!;
        writer.f64(keyed.life);
        writer.f64(start);
        writer.u32(chunk[at + COUNT]!);
        writer.u32(chunk[at + FIRED]!);
        writer.u8(chunk[at + DUE]!);
        writer.f64s(chunk.subarray(at + ACCUMULATOR, at + ACCUMULATOR + this.#options.aggregate.size));
        take({ key: `${keyed.key}/${start}`, value: writer.take() });
      }
      windows.changedFrom = Infinity;
    }
    this.#changed = [];
  }

  #restore(
    windows: KeyWindows,
    keyed: KeyedState,
    reader: Reader,
    watermark: EpochMs,
    generation: number,
    generations: Generations,
  ): void {
    if (reader.f64() !== keyed.life) return;
    const start = reader.f64();
    if (watermark >= start + this.#options.windowMs + this.#options.allowedLatenessMs) return;
    const table = this.#table;
    const window = windows.all[this.#positionOf(windows, start, windows.all.length - 1)]!;
    const chunk = table.chunk(window);
    const at = table.at(window);
    chunk[at + COUNT] = reader.u32();
    chunk[at + FIRED] = reader.u32();
    const due = reader.u8();
    if (due === 1 && chunk[at + DUE] === 0) this.#makeDue(windows, window);
    if (due === 0 && chunk[at + DUE] === 1) windows.due.splice(windows.due.indexOf(window), 1);
    chunk[at + DUE] = due;
    this.#readAccumulator(reader, chunk, at + ACCUMULATOR);
    this.#stamp(window, generation, generations);
  }

  /** An accumulator of another size was written by a version with another aggregate: it can't be continued. */
  #readAccumulator(reader: Reader, chunk: Float64Array, at: number): void {
    const written = reader.u32();
    const { size } = this.#options.aggregate;
    if (written === size) return reader.f64sInto(chunk, at, size);
    throw new MillraceError(
      "state-layout-unknown",
      `the snapshot's windows have accumulators of ${written} numbers; this version's have ${size}. ` +
        "Run the version that wrote it, or `npm run recover`.",
    );
  }

  #rewriteUpTo(windows: KeyWindows, keyed: KeyedState, generation: number): void {
    const table = this.#table;
    for (const window of windows.all)
      if (table.chunk(window)[table.at(window) + GENERATION]! <= generation)
        this.#markChanged(windows, keyed, window, table.start(window));
  }

  #stamp(window: number, generation: number, generations: Generations): void {
    const chunk = this.#table.chunk(window);
    const at = this.#table.at(window);
    generations.move(chunk[at + GENERATION]!, generation);
    chunk[at + GENERATION] = generation;
    chunk[at + CHANGED] = 0;
  }
}
