/** A target of DESIGN section 7 beside what was measured. */
export interface Target {
  readonly what: string;
  readonly target: string;
  readonly measured: string;
  readonly met: boolean;
}

/** One row of the table of targets. `measured` is held to `limit` in the given direction; NaN meets nothing. */
export function target(
  what: string,
  measured: number,
  direction: "at least" | "at most" | "below",
  limit: number,
  show: (value: number) => string,
): Target {
  const met = { "at least": measured >= limit, "at most": measured <= limit, below: measured < limit }[direction];
  const shown = Number.isNaN(measured) ? "nothing measured" : show(measured);
  return { what, target: `${direction} ${show(limit)}`, measured: shown, met };
}

/** A row of the table that was not measured, and why. It is not met. */
export function notMeasured(what: string, limit: string, why: string): Target {
  return { what, target: limit, measured: `not measured: ${why}`, met: false };
}

/** The rows as a table. */
export function showTargets(rows: readonly Target[]): string {
  const cells = rows.map(({ what, target, measured, met }) => [what, target, measured, met ? "met" : "NOT MET"]);
  const widths = [0, 1, 2].map((column) => Math.max(...cells.map((row) => row[column]!.length)));
  return cells
    .map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("   ")}`.trimEnd())
    .join("\n");
}
