import type { Message } from "./log.ts";

type Boot = string | undefined;

/** The message numbers that a sensor has used: a set per boot. Beyond the limits, the oldest are forgotten. */
export class SeenNumbers {
  /** In the order in which the boots were first seen. */
  private readonly boots: { boot: Boot; numbers: Set<number>; floor: number; newest: number; doubtfulUpTo: number }[] =
    [];
  /** Boots that were let go, in that order. */
  private letGo: { boot: Boot; newest: number }[] = [];
  /** Newest time of the boots that not even their names are known of. */
  private forgottenUpTo = -Infinity;

  knows(boot: Boot): boolean {
    return [...this.boots, ...this.letGo].some((entry) => entry.boot === boot);
  }

  judge({ boot, seq, t }: Message): "new" | "seen" | "unknown" {
    if (this.letGo.some((entry) => entry.boot === boot)) return "unknown";
    const entry = this.boots.find((known) => known.boot === boot);
    if (entry === undefined) return t.at(-1)! <= this.forgottenUpTo ? "unknown" : "new";
    if (seq < entry.floor) return "unknown";
    if (entry.numbers.has(seq)) return "seen";
    return t.at(-1)! <= entry.doubtfulUpTo ? "unknown" : "new";
  }

  add({ boot, seq, t }: Message, maxIntervals: number, maxBoots: number, maxLetGo: number): void {
    let entry = this.boots.find((known) => known.boot === boot);
    if (entry === undefined) {
      entry = { boot, numbers: new Set(), floor: 0, newest: -Infinity, doubtfulUpTo: this.forgottenUpTo };
      this.boots.push(entry);
      while (this.boots.length > maxBoots) this.letGo.push(this.boots.shift()!);
      while (this.letGo.length > maxLetGo)
        this.forgottenUpTo = Math.max(this.forgottenUpTo, this.letGo.shift()!.newest);
    }
    entry.newest = Math.max(entry.newest, t.at(-1)!);
    entry.numbers.add(seq);
    while (this.boots.reduce((sum, each) => sum + starts(each.numbers).length, 0) > maxIntervals) {
      const gapped = this.boots.find((each) => starts(each.numbers).length > 1);
      if (gapped === undefined) return;
      gapped.floor = starts(gapped.numbers)[1]!;
      for (const n of gapped.numbers) if (n < gapped.floor) gapped.numbers.delete(n);
    }
  }
}

/** Where each run of consecutive numbers starts, ascending. */
function starts(numbers: Set<number>): number[] {
  return [...numbers].filter((n) => !numbers.has(n - 1)).sort((a, b) => a - b);
}
