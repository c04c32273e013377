import { readRecordId, type RecordPosition } from "../../domain/records.ts";

/** Ids of a partition that are remembered one by one. */
export const RECENT_IDS = 1_000;
/** Source partitions of one output partition whose positions are remembered; a task's output has one. */
export const MAX_SOURCES = 100;

/**
 * `new`: not read before. `repeated`: read before. `out-of-order`: not read before, though a later one was. `unknown`:
 * it can't be told, because the id has another form, or comes before the first that was read here.
 */
export type IdVerdict = "new" | "repeated" | "out-of-order" | "unknown";

/** What was read of one source partition. */
interface Source {
  readonly first: RecordPosition;
  highest: RecordPosition;
  /** The highest of those that are no longer remembered one by one. */
  floor: RecordPosition | null;
}

/**
 * Tells whether ids of one output partition were read before. A task writes in the order of its input, so ids of one
 * source only grow; one that does not is looked for among the last `RECENT_IDS`. Behind those, order alone decides: it
 * counts as repeated.
 */
export class IdOrder {
  readonly #sources = new Map<string, Source>();
  readonly #recent = new Set<string>();

  /** Says what an id is; from then on it counts as read. */
  take(id: string): IdVerdict {
    const read = readRecordId(id);
    if (read === null) return "unknown";
    if (this.#recent.has(id)) return "repeated";
    const { source: name, position } = read;
    const source = this.#sources.get(name);
    if (source === undefined) {
      this.#sources.set(name, { first: position, highest: position, floor: null });
      if (this.#sources.size > MAX_SOURCES) this.#sources.delete(this.#sources.keys().next().value!);
      this.#remember(id);
      return "new";
    }
    if (isBeyond(position, source.highest)) {
      source.highest = position;
      this.#remember(id);
      return "new";
    }
    if (isBeyond(source.first, position)) return "unknown";
    if (source.floor !== null && !isBeyond(position, source.floor)) return "repeated";
    this.#remember(id);
    return "out-of-order";
  }

  #remember(id: string): void {
    this.#recent.add(id);
    if (this.#recent.size <= RECENT_IDS) return;
    const oldest = this.#recent.values().next().value!;
    this.#recent.delete(oldest);
    const { source: name, position } = readRecordId(oldest)!;
    const source = this.#sources.get(name);
    if (source && (source.floor === null || isBeyond(position, source.floor))) source.floor = position;
  }
}

function isBeyond(position: RecordPosition, other: RecordPosition): boolean {
  return position.offset > other.offset || (position.offset === other.offset && position.n > other.n);
}
