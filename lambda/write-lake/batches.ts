/** Splits items, in order, into groups of at most `count` items and `bytes` bytes. A larger item is alone. */
export function split<T extends { readonly data: Uint8Array | string }>(
  items: readonly T[],
  limits: { readonly count: number; readonly bytes: number },
): T[][] {
  const groups: T[][] = [];
  let bytes = 0;
  for (const item of items) {
    const size = Buffer.byteLength(item.data);
    const group = groups.at(-1);
    if (!group || group.length >= limits.count || bytes + size > limits.bytes) {
      groups.push([item]);
      bytes = size;
    } else {
      group.push(item);
      bytes += size;
    }
  }
  return groups;
}

/** Attempts for one record. After them, the event source delivers it again. */
export const MAX_ATTEMPTS = 6;

/**
 * Milliseconds to wait before a retry (`attempt` is 1 for the first): 100 ms, doubled for each further one, times a
 * random factor from 0.5 to 1. `random` is in [0, 1).
 */
export function backoffMs(attempt: number, random: number): number {
  return 100 * 2 ** (attempt - 1) * (0.5 + random / 2);
}
