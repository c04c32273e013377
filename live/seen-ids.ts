/** The position of a record in its source partition: an input offset, and the record's number among its outputs. */
interface Position {
  readonly offset: number;
  readonly n: number;
}

/**
 * Recognises records that live has read before: an aborted transaction is repeated, and a rebalance may repeat records,
 * too.
 *
 * A task writes each output topic in the order of its input, so the ids `<source topic>/<partition>/<offset>/<n>` of
 * one topic and source partition only grow. It is enough to remember the highest.
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
    this.#highest.set(source, parsed);
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
