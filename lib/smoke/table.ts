/** One row of what a smoke test says: a check that was run, or something that only somebody can look at. */
export interface SmokeRow {
  readonly what: string;
  readonly result: "holds" | "FAILED" | "not tried";
  /** What was found, or the command that tells. */
  readonly detail: string;
}

/** What the smoke test has no step for: with what tells. */
export const notTried: readonly SmokeRow[] = [
  ["a device that provisions itself", "aws iot describe-thing, after docs/deployment.md's first reading"],
  ["the lake", "Athena's query windows-of-a-sensor, some minutes later (lake.bufferSeconds)"],
  ["a model's promotion", "npm run on-aws -- --env E model promote …, then model list"],
].map(([what = "", detail = ""]) => ({ what, result: "not tried", detail }));

/** The rows as a table of text, one line each. */
export function smokeTable(rows: readonly SmokeRow[]): string {
  const widthOf = (key: "what" | "result"): number => Math.max(...rows.map((row) => row[key].length));
  return rows
    .map(({ what, result, detail }) =>
      [result.padEnd(widthOf("result")), what.padEnd(widthOf("what")), detail.split("\n")[0]].join("  "),
    )
    .join("\n");
}
