import { readRecordId, type RecordPosition } from "../domain/records.ts";

/** Number of topics and source partitions whose highest id is remembered, at most. */
export const REMEMBERED_SOURCES = 10_000;

/**
 * Recognises records that live has read before: an aborted transaction is repeated, and a rebalance may repeat records,
 * too.
 *
 * A task writes each output topic in the order of its input, so the ids `<source topic>/<partition>/<offset>/<n>` of
 * one topic and source partition only grow. It is enough to remember the highest. A record whose source was let go is
 * sent again: clients drop by id.
 */
export class SeenIds {
  readonly #highest = new Map<string, RecordPosition>();

  /** Whether a record of `topic` is new; from then on it counts as seen. An id of another form is always new. */
  isNew(topic: string, id: string): boolean {
    const read = readRecordId(id);
    if (!read) return true;
    const source = `${topic} ${read.source}`;
    const highest = this.#highest.get(source);
    if (highest && !isBeyond(read.position, highest)) return false;
    // The source that was longest without a record goes first.
    this.#highest.delete(source);
    this.#highest.set(source, read.position);
    if (this.#highest.size > REMEMBERED_SOURCES) this.#highest.delete(this.#highest.keys().next().value!);
    return true;
  }
}

function isBeyond(position: RecordPosition, other: RecordPosition): boolean {
  return position.offset > other.offset || (position.offset === other.offset && position.n > other.n);
}
