/**
 * Recognises records that came before. A task writes each output topic in the order of its input, so that the ids
 * `<source topic>/<partition>/<offset>/<n>` of one topic and partition only grow: what is not beyond the highest was
 * there already, in a transaction that was aborted and repeated, or before a rebalance.
 */
export class SeenIds {
  readonly #highest = new Map<string, { offset: number; n: number }>();

  /** Whether a record of `topic` is new; then it counts as seen. An id of another form is always new. */
  isNew(topic: string, id: string): boolean {
    const nAt = id.lastIndexOf("/");
    const offsetAt = id.lastIndexOf("/", nAt - 1);
    const n = Number(id.slice(nAt + 1));
    const offset = Number(id.slice(offsetAt + 1, nAt));
    if (offsetAt < 0 || !Number.isInteger(n) || !Number.isInteger(offset)) return true;
    const source = `${topic} ${id.slice(0, offsetAt)}`;
    const highest = this.#highest.get(source);
    if (!highest) this.#highest.set(source, { offset, n });
    else if (offset < highest.offset || (offset === highest.offset && n <= highest.n)) return false;
    else {
      highest.offset = offset;
      highest.n = n;
    }
    return true;
  }
}
