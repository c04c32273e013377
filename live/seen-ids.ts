/** The position of a record in its source partition: an input offset, and the record's number among its outputs. */
interface Position {
  readonly offset: number;
  readonly n: number;
}

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
  readonly #highest = new Map<string, Position>();

  /** Whether a record of `topic` is new; from then on it counts as seen. An id of another form is always new. */
  isNew(topic: string, id: string): boolean {
    const parsed = parse(id);
    if (!parsed) return true;
    const source = `${topic} ${parsed.source}`;
    const highest = this.#highest.get(source);
    if (highest && !isBeyond(parsed, highest)) return false;
    // The source that was longest without a record goes first.
    this.#highest.delete(source);
    this.#highest.set(source, parsed);
    if (this.#highest.size > REMEMBERED_SOURCES) this.#highest.delete(this.#highest.keys().next().value!);
    return true;
  }
}

function parse(id: string): (Position & { readonly source: string }) | null {
  const nAt = id.lastIndexOf("/");
  const offsetAt = id.lastIndexOf("/", nAt - 1);
  const n = Number(id.slice(nAt + 1));
  const offset = Number(id.slice(offsetAt + 1, nAt));
  if (offsetAt < 0 || !Number.isInteger(n) || !Number.isInteger(offset)) return null;
  return { source: id.slice(0, offsetAt), offset, n };
}

function isBeyond(position: Position, other: Position): boolean {
  return position.offset > other.offset || (position.offset === other.offset && position.n > other.n);
}
