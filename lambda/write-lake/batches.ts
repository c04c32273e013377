/** Limits of one PutRecordBatch. */
export const batchLimits = { records: 500, bytes: 4 * 1024 * 1024 } as const;

/** Cuts items into batches that keep to the limits of a call, in order. */
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

/** Attempts for one record; then it is left to the event source. */
export const MAX_ATTEMPTS = 6;

/**
 * Milliseconds before attempt `attempt` (the first retry is 1): 100 ms doubled each time, of which a random half to
 * whole (`random` in [0, 1)).
 */
export function backoffMs(attempt: number, random: number): number {
  return 100 * 2 ** (attempt - 1) * (0.5 + random / 2);
}
