/** A binary heap. It returns the smallest key first, and equal keys in the order of insertion. */
export class Heap<T> {
  readonly #items: { readonly key: number; readonly order: number; readonly value: T }[] = [];
  #added = 0;

  push(key: number, value: T): void {
    const items = this.#items;
    items.push({ key, order: this.#added++, value });
    for (let i = items.length - 1; i > 0;) {
      const parent = (i - 1) >> 1;
      if (!this.#before(i, parent)) break;
      this.#swap(i, parent);
      i = parent;
    }
  }

  pop(): T | undefined {
    const items = this.#items;
    if (items.length === 0) return undefined;
    this.#swap(0, items.length - 1);
    const { value } = items.pop()!;
    for (let i = 0; ;) {
      let smallest = i;
      for (const child of [2 * i + 1, 2 * i + 2])
        if (child < items.length && this.#before(child, smallest)) smallest = child;
      if (smallest === i) return value;
      this.#swap(i, smallest);
      i = smallest;
    }
  }

  #before(a: number, b: number): boolean {
    const [left, right] = [this.#items[a]!, this.#items[b]!];
    return left.key < right.key || (left.key === right.key && left.order < right.order);
  }

  #swap(a: number, b: number): void {
    const items = this.#items;
    [items[a], items[b]] = [items[b]!, items[a]!];
  }
}
