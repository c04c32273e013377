type Boot = string | undefined;

/** The message numbers that a sensor has used: a set per boot. Beyond the limits, the oldest are forgotten. */
export class SeenNumbers {
  /** In the order in which the boots were first seen. */
  private readonly boots: { boot: Boot; numbers: Set<number>; floor: number }[] = [];
  private readonly forgotten = new Set<Boot>();

  knows(boot: Boot): boolean {
    return this.boots.some((entry) => entry.boot === boot) || this.forgotten.has(boot);
  }

  judge(boot: Boot, seq: number): "new" | "seen" | "unknown" {
    if (this.forgotten.has(boot)) return "unknown";
    const entry = this.boots.find((known) => known.boot === boot);
    if (entry === undefined) return "new";
    if (seq < entry.floor) return "unknown";
    return entry.numbers.has(seq) ? "seen" : "new";
  }

  add(boot: Boot, seq: number, maxIntervals: number, maxBoots: number): void {
    let entry = this.boots.find((known) => known.boot === boot);
    if (entry === undefined) {
      entry = { boot, numbers: new Set(), floor: 0 };
      this.boots.push(entry);
      if (this.boots.length > maxBoots) this.forgotten.add(this.boots.shift()!.boot);
    }
    entry.numbers.add(seq);
    if (this.boots.reduce((sum, each) => sum + starts(each.numbers).length, 0) <= maxIntervals) return;
    const gapped = this.boots.find((each) => starts(each.numbers).length > 1);
    if (gapped === undefined) return;
    gapped.floor = starts(gapped.numbers)[1]!;
    for (const n of gapped.numbers) if (n < gapped.floor) gapped.numbers.delete(n);
  }
}

/** Where each run of consecutive numbers starts, ascending. */
function starts(numbers: Set<number>): number[] {
  return [...numbers].filter((n) => !numbers.has(n - 1)).sort((a, b) => a - b);
}
