import type { EpochMs, Milliseconds } from "../../domain/time.ts";
import type { Stamped } from "./generations.ts";

/** How present a key is: `expired` means that only the tombstone is left: watermark and what deduplication remembers. */
export const PRESENCE = { active: 0, idle: 1, expired: 2 } as const;
export type Presence = (typeof PRESENCE)[keyof typeof PRESENCE];

/** The state of one key (a sensor, a symbol). */
export class Keyed implements Stamped {
  readonly key: string;
  /** Highest event time of an accepted message; the watermark is this less the out-of-orderness bound. */
  maxEventTime: EpochMs = -Infinity;
  /** Silence clock at the step of its last accepted or duplicate message. */
  lastSeen: Milliseconds = 0;
  presence: Presence = PRESENCE.active;
  /** What the pipeline's deduplication remembers. */
  readonly seen: unknown;
  /** Offset of the step in which the operators' state began: items of an earlier life are not its own. */
  life: number;
  /** State of each operator, in the order of the path. */
  slots: unknown[];
  generation = -1;
  changed = false;
  /** Neighbours in the list of its presence, see `SilenceList`. */
  previous: Keyed | null = null;
  next: Keyed | null = null;

  constructor(key: string, life: number, seen: unknown, slots: unknown[]) {
    this.key = key;
    this.life = life;
    this.seen = seen;
    this.slots = slots;
  }
}

/**
 * Keys of one presence, the longest silent first. `lastSeen` never goes back, so keys are appended in its order, and
 * the keys whose silence exceeds a bound are the first ones of the list.
 */
export class SilenceList {
  #head: Keyed | null = null;
  #tail: Keyed | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  append(keyed: Keyed): void {
    this.#size++;
    keyed.previous = this.#tail;
    keyed.next = null;
    if (this.#tail) this.#tail.next = keyed;
    else this.#head = keyed;
    this.#tail = keyed;
  }

  remove(keyed: Keyed): void {
    this.#size--;
    if (keyed.previous) keyed.previous.next = keyed.next;
    else this.#head = keyed.next;
    if (keyed.next) keyed.next.previous = keyed.previous;
    else this.#tail = keyed.previous;
    keyed.previous = keyed.next = null;
  }

  /** Takes out all keys that were last seen before `lastSeen`, the longest silent first. */
  takeSeenBefore(lastSeen: Milliseconds): Keyed[] {
    if (this.#head === null || this.#head.lastSeen >= lastSeen) return [];
    const taken: Keyed[] = [];
    for (let keyed: Keyed | null = this.#head; keyed && keyed.lastSeen < lastSeen; keyed = this.#head) {
      this.remove(keyed);
      taken.push(keyed);
    }
    return taken;
  }
}

/** Byte order of ASCII keys. */
export function byKey(a: Keyed, b: Keyed): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}
