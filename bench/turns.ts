/** How often what is compared runs, without `--rounds`. */
export const DEFAULT_ROUNDS = 3;

/**
 * Runs two things in turns. The machine's speed changes within minutes, so each pair runs in a row, and who is first
 * changes from round to round.
 *
 * @param each Called with each pair when it has run
 */
export async function inTurns<A, B>(
  rounds: number,
  one: () => Promise<A>,
  other: () => Promise<B>,
  each?: (pair: readonly [A, B], round: number) => void,
): Promise<(readonly [A, B])[]> {
  const pairs: (readonly [A, B])[] = [];
  for (let round = 1; round <= rounds; round++) {
    const before = round % 2 === 1 ? await one() : undefined;
    const second = await other();
    const pair = [before ?? (await one()), second] as const;
    pairs.push(pair);
    each?.(pair, round);
  }
  return pairs;
}
