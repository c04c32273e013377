const REVISION_DIGITS = 16;

/**
 * A value with its rank as a text, of which `$max` keeps the one with the highest rank, whatever the order of the
 * writes. A filter by revision would do the same, but then the local server reads every document of the collection; and
 * how a server compares documents is not the same everywhere, while texts are compared by their bytes.
 *
 * @param rank Whole numbers from 0 to 2^53 - 1; the first decides, then the next ones.
 */
export function revised(rank: readonly number[], value: unknown): string {
  return `${rank.map((number) => String(number).padStart(REVISION_DIGITS, "0")).join(" ")} ${JSON.stringify(value)}`;
}

/** The value of a text of `revised` whose rank has so many numbers. */
export function valueOf<T>(text: string, ranks = 1): T {
  return JSON.parse(text.slice(ranks * (REVISION_DIGITS + 1))) as T;
}

/** The first number of the rank of a text of `revised`. */
export function rankOf(text: string): number {
  return Number(text.slice(0, REVISION_DIGITS));
}
