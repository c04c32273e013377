/** Items in their order, in chunks that double up to the most: a short list takes one small read, a long one few. */
export function* growingChunks<T>(items: Iterable<T>, first: number, most: number): Generator<T[]> {
  let [size, chunk]: [number, T[]] = [first, []];
  for (const item of items) {
    chunk.push(item);
    if (chunk.length < size) continue;
    yield chunk;
    [size, chunk] = [Math.min(size * 2, most), []];
  }
  if (chunk.length > 0) yield chunk;
}
