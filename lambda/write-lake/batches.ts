/** Limits of one PutRecordBatch, inclusive. */
const batchLimits = { records: 500, bytes: 4 * 1024 * 1024 } as const;

/** Splits items, in order, into batches within the limits of a call. */
export function toBatches<T extends { readonly data: Uint8Array }>(
  items: readonly T[],
  limits: { readonly records: number; readonly bytes: number } = batchLimits,
): T[][] {
  const batches: T[][] = [];
  let bytes = 0;
  for (const item of items) {
    const current = batches.at(-1);
    if (!current || current.length >= limits.records || bytes + item.data.length > limits.bytes) {
      batches.push([item]);
      bytes = item.data.length;
    } else {
      current.push(item);
      bytes += item.data.length;
    }
  }
  return batches;
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
