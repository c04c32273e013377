/** Members of a group, at most: one that has more is divided by the next character of the ids. */
const MOST = 100;

/** Ids that begin with the same text. */
export interface Group {
  /** What they begin with; the whole id where it is one. */
  readonly prefix: string;
  /** Sorted. */
  readonly ids: readonly string[];
}

/** Groups ids by what they begin with, so that none has more than a hundred. */
export function groupByPrefix(ids: readonly string[]): Group[] {
  const sorted = ids.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return divide(sorted);
}

/** @param sorted Ids that may begin with the same text. */
function divide(sorted: readonly string[]): Group[] {
  const [first, last] = [sorted[0], sorted.at(-1)];
  if (first === undefined || last === undefined) return [];
  let length = 0;
  while (length < first.length && first[length] === last[length]) length++;
  if (sorted.length <= MOST) return [{ prefix: first.slice(0, length), ids: sorted }];
  const parts = new Map<string, string[]>();
  for (const id of sorted) {
    const key = id.slice(0, length + 1);
    const part = parts.get(key);
    if (part) part.push(id);
    else parts.set(key, [id]);
  }
  return [...parts.values()].flatMap(divide);
}
