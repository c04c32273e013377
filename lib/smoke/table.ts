/** One row of what a smoke test says: a check that was run, or one that could not be. */
export interface SmokeRow {
  readonly what: string;
  readonly result: "holds" | "FAILED" | "not tried";
  /** What was found, or why it was not tried. */
  readonly detail: string;
}

/** Thrown by a check that needs what an earlier one did not get, or that would do harm. */
export class NotTried extends Error {}

/**
 * What an earlier check got.
 *
 * @throws NotTried when it did not get it
 */
export function given<T>(value: T | undefined, missing: string): T {
  if (value === undefined) throw new NotTried(missing);
  return value;
}

/** Runs one check, and says what it found. */
export async function rowOf(what: string, run: () => Promise<string>): Promise<SmokeRow> {
  try {
    return { what, result: "holds", detail: await run() };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return { what, result: error instanceof NotTried ? "not tried" : "FAILED", detail };
  }
}

/** The rows as a table of text, one line each. */
export function smokeTable(rows: readonly SmokeRow[]): string {
  const widthOf = (key: "what" | "result"): number => Math.max(...rows.map((row) => row[key].length));
  return rows
    .map(({ what, result, detail }) =>
      [result.padEnd(widthOf("result")), what.padEnd(widthOf("what")), detail.split("\n")[0]].join("  "),
    )
    .join("\n");
}
