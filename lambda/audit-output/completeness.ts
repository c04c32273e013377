import type { Sight, WindowSight } from "./outputs.ts";

/** Windows whose number of readings is remembered, for the revisions that may follow. */
export const REMEMBERED_WINDOWS = 100_000;

/** What a record adds to the readings of its pipeline. A reading counts once for each window that has or misses it. */
export interface Counted {
  /** Readings in revision 0. */
  readonly first: number;
  /** Those in later revisions, and those that missed their window, too. */
  readonly all: number;
  /** Whether it is a revision of a window that is not remembered: what it added can't be told. */
  readonly isUnknown: boolean;
}

const NOTHING: Counted = { first: 0, all: 0, isUnknown: false };

/** Counts readings in revision 0 and all readings. What a later revision adds is its number less the one before. */
export class Completeness {
  readonly #readings = new Map<string, number>();

  take({ window, late }: Sight): Counted {
    if (late !== undefined) return { ...NOTHING, all: late };
    return window === undefined ? NOTHING : this.#window(window);
  }

  #window({ key, operator, window, revision, readings }: WindowSight): Counted {
    const name = `${key} ${operator} ${window.start}`;
    const before = this.#readings.get(name);
    if (revision > 0 && before === undefined) {
      this.#remember(name, readings);
      return { ...NOTHING, isUnknown: true };
    }
    const added = Math.max(0, readings - (before ?? 0));
    this.#remember(name, Math.max(readings, before ?? 0));
    return { first: revision === 0 ? added : 0, all: added, isUnknown: false };
  }

  #remember(name: string, readings: number): void {
    this.#readings.set(name, readings);
    if (this.#readings.size > REMEMBERED_WINDOWS) this.#readings.delete(this.#readings.keys().next().value!);
  }
}
