import type { Reader, Writer } from "./codec.ts";
import type { Generations, Stamped } from "./generations.ts";
import type { StateEntry } from "./machine.ts";

/** How the values of kept state are written. */
export interface KeptCodec<V> {
  /** Unique in the pipeline; snapshots contain it. */
  readonly name: string;
  /** Version of what `encode` writes, from 1 on; a change of its bytes raises it. */
  readonly layout: number;
  /**
   * `key`: the part of an entry's name in front of its first slash is a key of the pipeline, with which the entry moves
   * at a rescale. `partition`: every partition has the same entries.
   */
  readonly scope: "key" | "partition";
  encode(value: V, writer: Writer): void;
  decode(reader: Reader, name: string): V;
}

interface Kept<V> extends Stamped {
  readonly value: V;
  /** Grows from one `set` to the next. */
  readonly order: number;
}

/** Stands in the place of the layout of an entry that was deleted. */
const DELETED = 0;
/** Bytes in front of an entry's value: its layout and its order. */
const HEADER_BYTES = 1 + 8;

/** Whether an entry of kept state says that it was deleted. */
export function isDeletedEntry(entry: Uint8Array): boolean {
  return entry[0] === DELETED;
}

/** Whether two entries hold the same value. Their orders may differ: each task counts its own. */
export function haveSameValue(one: Uint8Array, other: Uint8Array): boolean {
  return one[0] === other[0] && Buffer.compare(one.subarray(HEADER_BYTES), other.subarray(HEADER_BYTES)) === 0;
}

/**
 * State that a pipeline keeps beside that of its operators: no expiry and no settings end it. Each entry is one of the
 * snapshot, written when it has changed. The pipeline bounds the number of entries.
 */
export class KeptState<V = unknown> {
  readonly codec: KeptCodec<V>;
  /** By their order, unless they were restored since. */
  #entries = new Map<string, Kept<V>>();
  #isSorted = true;
  #order = 0;
  /** Deleted entries that older generations may still hold. */
  readonly #deleted = new Map<string, Stamped>();
  #changed = new Set<string>();

  constructor(codec: KeptCodec<V>) {
    this.codec = codec;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(name: string): V | undefined {
    return this.#entries.get(name)?.value;
  }

  /** Sets a value, or notes that the one that is there has changed. It becomes the newest. */
  set(name: string, value: V): void {
    const generation = (this.#entries.get(name) ?? this.#deleted.get(name))?.generation ?? -1;
    this.#deleted.delete(name);
    this.#entries.delete(name);
    this.#entries.set(name, { value, order: this.#order++, generation, changed: true });
    this.#changed.add(name);
  }

  /** Notes that the value of an entry has changed in place. Its order stays. */
  touch(name: string): void {
    this.#changed.add(name);
  }

  delete(name: string): void {
    const entry = this.#entries.get(name);
    if (!entry) return;
    this.#entries.delete(name);
    if (entry.generation < 0) this.#changed.delete(name);
    else {
      this.#deleted.set(name, { generation: entry.generation, changed: true });
      this.#changed.add(name);
    }
  }

  /** The entries, the one that was set longest ago first. */
  *entries(): Iterable<readonly [name: string, value: V]> {
    if (!this.#isSorted) this.#entries = new Map([...this.#entries].sort(([, a], [, b]) => a.order - b.order));
    this.#isSorted = true;
    for (const [name, { value }] of this.#entries) yield [name, value];
  }

  /** See `StateMachine.encodeChanges`. */
  encodeChanges(generation: number, generations: Generations, writer: Writer, take: (entry: StateEntry) => void): void {
    for (const name of this.#changed) {
      const entry = this.#entries.get(name);
      writer.u8(entry ? this.codec.layout : DELETED);
      if (entry) {
        writer.f64(entry.order);
        this.codec.encode(entry.value, writer);
      }
      generations.stamp(entry ?? this.#deleted.get(name)!, generation);
      take({ key: name, value: writer.take() });
    }
    this.#changed.clear();
  }

  /** Takes an entry back, in the place of an earlier one of its name. */
  restore(name: string, layout: number, reader: Reader, generation: number, generations: Generations): void {
    const before = this.#entries.get(name) ?? this.#deleted.get(name);
    const stamped = { generation: before?.generation ?? -1, changed: false };
    generations.stamp(stamped, generation);
    this.#entries.delete(name);
    this.#deleted.delete(name);
    if (layout === DELETED) {
      this.#deleted.set(name, stamped);
      return;
    }
    const order = reader.f64();
    this.#entries.set(name, Object.assign(stamped, { order, value: this.codec.decode(reader, name) }));
    this.#order = Math.max(this.#order, order + 1);
    this.#isSorted = false;
  }

  /** See `StateMachine.rewriteUpTo`. */
  rewriteUpTo(generation: number, generations: Generations): void {
    for (const [name, entry] of this.#entries) if (entry.generation <= generation) this.#changed.add(name);
    for (const [name, entry] of this.#deleted) {
      if (entry.changed || entry.generation > generation) continue;
      generations.forget(entry); // no older generation is left
      this.#deleted.delete(name);
    }
  }
}
