import { windowOperatorName } from "../../domain/imu.ts";
import type { Cause } from "../../domain/records.ts";
import type { EpochMs, Milliseconds } from "../../domain/time.ts";
import { emitLate, type LateOutput } from "../path/late.ts";
import type { StateEntry } from "../path/machine.ts";
import type { Message } from "../path/message.ts";
import type { Items, Station, StepContext } from "../path/station.ts";
import { type Reader, Writer } from "../state/codec.ts";
import type { Generations, Stamped } from "../state/generations.ts";
import type { Keyed } from "../state/keyed.ts";
import { Accumulators, type Place } from "./accumulators.ts";
import { assignWindows } from "./assign.ts";
import type { Aggregate } from "./statistics.ts";

export interface WindowOptions {
  readonly windowMs: Milliseconds;
  readonly slideMs: Milliseconds;
  readonly allowedLatenessMs: Milliseconds;
  readonly aggregate: Aggregate;
  /** Topic of the results. */
  readonly to: string;
  readonly late: LateOutput;
}

/** One window of one key: [start, start + size). */
class Window implements Stamped {
  readonly keyed: Keyed;
  readonly start: EpochMs;
  readonly place: Place;
  count = 0;
  /** How often it has fired. */
  fired = 0;
  /** Whether it has changed since it fired, and waits to fire. */
  due = false;
  generation = -1;
  changed = false;
  gone = false;

  constructor(keyed: Keyed, start: EpochMs, place: Place) {
    this.keyed = keyed;
    this.start = start;
    this.place = place;
  }
}

/** The windows of one key: all that are kept, and those that wait to fire, both by start. */
interface KeyWindows {
  readonly all: Window[];
  readonly due: Window[];
}

/**
 * Tumbling and sliding windows by event time. A window fires when the watermark reaches its end; a later reading
 * makes it fire again with the next revision, until the watermark reaches end + allowed lateness: then readings go to
 * the late topic, window by window.
 */
export class WindowStation implements Station<KeyWindows> {
  readonly name = "window";
  readonly layout = 1;
  readonly #options: WindowOptions;
  readonly #operator: string;
  readonly #accumulators: Accumulators;
  #changed: Window[] = [];
  readonly #again: Window[] = [];
  readonly items: Items<KeyWindows>;

  constructor(options: WindowOptions) {
    this.#options = options;
    this.#operator = windowOperatorName(options.windowMs, options.slideMs);
    this.#accumulators = new Accumulators(options.aggregate.size);
    this.items = { encodeChanges: this.#encodeChanges.bind(this), restore: this.#restore.bind(this), rewriteUpTo: this.#rewriteUpTo.bind(this) };
  }

  create(): KeyWindows {
    return { all: [], due: [] };
  }

  apply(windows: KeyWindows, keyed: Keyed, message: Message, watermark: EpochMs, context: StepContext): void {
    const { windowMs, slideMs, allowedLatenessMs, aggregate, late } = this.#options;
    const again = this.#again;
    again.length = 0;
    assignWindows(message, windowMs, slideMs, (start, from, to) => {
      const end = start + windowMs;
      if (watermark >= end + allowedLatenessMs) {
        emitLate(late, message, "window", { start, end }, from, to, context);
        return;
      }
      const window = this.#windowAt(windows, keyed, start);
      aggregate.fold(window.place.chunk, window.place.at, window.count, message, from, to);
      window.count += to - from;
      this.#markChanged(window);
      if (watermark >= end) again.push(window);
      else if (!window.due) this.#makeDue(windows, window);
    });
    for (const window of again) this.#emit(window, "late", context);
  }

  fire(windows: KeyWindows, _keyed: Keyed, upTo: EpochMs, watermark: EpochMs, cause: Cause, context: StepContext): void {
    const { windowMs, allowedLatenessMs } = this.#options;
    const { due, all } = windows;
    let fired = 0;
    while (fired < due.length && due[fired]!.start + windowMs <= upTo) {
      const window = due[fired++]!;
      window.due = false;
      this.#emit(window, cause, context);
    }
    if (fired > 0) due.splice(0, fired);
    let gone = 0;
    while (gone < all.length && watermark >= all[gone]!.start + windowMs + allowedLatenessMs) this.#forget(all[gone++]!, context.generations);
    if (gone > 0) all.splice(0, gone);
  }

  dueAt(windows: KeyWindows): EpochMs {
    return windows.due.length > 0 ? windows.due[0]!.start + this.#options.windowMs : Infinity;
  }

  drop(windows: KeyWindows, context: StepContext): void {
    for (const window of windows.all) this.#forget(window, context.generations);
  }

  /** Nothing beside the items. */
  encode(): void {}

  decode(): KeyWindows {
    return this.create();
  }

  #windowAt(windows: KeyWindows, keyed: Keyed, start: EpochMs): Window {
    const at = lowerBound(windows.all, start);
    const found = windows.all[at];
    if (found !== undefined && found.start === start) return found;
    const window = new Window(keyed, start, this.#accumulators.take());
    insertAt(windows.all, at, window);
    return window;
  }

  #makeDue(windows: KeyWindows, window: Window): void {
    window.due = true;
    insertAt(windows.due, lowerBound(windows.due, window.start), window);
  }

  #markChanged(window: Window): void {
    if (window.changed) return;
    window.changed = true;
    this.#changed.push(window);
  }

  #forget(window: Window, generations: Generations): void {
    window.gone = true;
    generations.forget(window);
    this.#accumulators.giveBack(window.place);
  }

  #emit(window: Window, cause: Cause, context: StepContext): void {
    const { to, late, aggregate, windowMs } = this.#options;
    const { keyed, start, place, count } = window;
    const revision = window.fired++;
    context.figures.windows++;
    this.#markChanged(window);
    context.out.json(
      to,
      keyed.key,
      (id) =>
        `{"id":"${id}","schema":1,"${late.idField}":"${keyed.key}","operator":"${this.#operator}","window":{"start":${start},"end":${start + windowMs}},"revision":${revision},"cause":"${cause}","count":${count},${aggregate.write(place.chunk, place.at, count)}}`,
    );
  }

  #encodeChanges(generation: number, generations: Generations, take: (entry: StateEntry) => void): void {
    const writer = new Writer();
    for (const window of this.#changed) {
      if (window.gone) continue;
      generations.stamp(window, generation);
      const { chunk, at } = window.place;
      writer.f64(window.keyed.life);
      writer.f64(window.start);
      writer.u32(window.count);
      writer.u32(window.fired);
      writer.u8(window.due ? 1 : 0);
      writer.f64s(chunk.subarray(at, at + this.#options.aggregate.size));
      take({ key: `${window.keyed.key}/${window.start}`, value: writer.take() });
    }
    this.#changed = [];
  }

  #restore(windows: KeyWindows, keyed: Keyed, reader: Reader, watermark: EpochMs, generation: number, generations: Generations): void {
    if (reader.f64() !== keyed.life) return;
    const start = reader.f64();
    if (watermark >= start + this.#options.windowMs + this.#options.allowedLatenessMs) return;
    const window = this.#windowAt(windows, keyed, start);
    window.count = reader.u32();
    window.fired = reader.u32();
    const due = reader.u8() === 1;
    window.place.chunk.set(reader.f64s(), window.place.at);
    generations.stamp(window, generation);
    if (due) this.#makeDue(windows, window);
  }

  #rewriteUpTo(windows: KeyWindows, generation: number): void {
    for (const window of windows.all) if (window.generation <= generation) this.#markChanged(window);
  }
}

/** Index of the first window that starts at or after `start`; the newest ones are looked at first. */
function lowerBound(windows: readonly Window[], start: EpochMs): number {
  let high = windows.length;
  if (high === 0 || windows[high - 1]!.start < start) return high;
  let low = high > 2 && windows[high - 2]!.start < start ? high - 1 : 0;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (windows[middle]!.start < start) low = middle + 1;
    else high = middle;
  }
  return low;
}

function insertAt(windows: Window[], at: number, window: Window): void {
  if (at === windows.length) windows.push(window);
  else windows.splice(at, 0, window);
}
