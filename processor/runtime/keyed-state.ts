import type { EpochMs, Milliseconds } from "../../domain/time.ts";
import type { Stamped } from "./generations.ts";
import type { Regime } from "./regime.ts";

/**
 * How present a key is. A silent one waits for its turn to go idle. An expired one has only its tombstone left: its
 * watermark, what is final, and what deduplication remembers.
 */
export const PRESENCE = { active: 0, idle: 1, expired: 2, silent: 3 } as const;
export type Presence = (typeof PRESENCE)[keyof typeof PRESENCE];
/** Their names, by their numbers. */
export const PRESENCE_NAMES = ["active", "idle", "expired", "silent"] as const;

/** The state of one key (a sensor, a symbol). */
export class KeyedState implements Stamped {
  readonly key: string;
  /** Highest event time of an accepted message. */
  maxEventTime: EpochMs = -Infinity;
  /** The highest that `maxEventTime` less the out-of-orderness bound has been: no other bound moves it back. */
  watermark: EpochMs = -Infinity;
  /** What begins at or before this is final: operators take nothing more into it, whatever the watermark. */
  finalUpTo: EpochMs = -Infinity;
  /** The silence clock at the step of its last accepted or duplicate message. */
  lastSeen: Milliseconds = 0;
  /** Offset of that step. */
  lastSeenAt = 0;
  /** Offset of the step in which it was found silent; only while it waits for its turn to go idle. */
  foundSilentAt = 0;
  presence: Presence = PRESENCE.active;
  /** What the pipeline's deduplication remembers. */
  readonly seen: unknown;
  /** Offset of the step in which the operators' state began. Items of an earlier life do not belong to it. */
  life: number;
  /** The settings under which the operators' state was made; null for an expired key, which has none. */
  regime: Regime | null = null;
  /** State of each operator, in the order of the regime's pipeline. */
  operatorStates: unknown[];
  generation = -1;
  changed = false;
  /** Neighbours in the list of its presence, see `SilenceList`. */
  previous: KeyedState | null = null;
  next: KeyedState | null = null;

  constructor(key: string, life: number, seen: unknown, operatorStates: unknown[]) {
    this.key = key;
    this.life = life;
    this.seen = seen;
    this.operatorStates = operatorStates;
  }
}

/** Nearly every step finds no key silent, so it should cost none an array. */
const NONE: readonly KeyedState[] = Object.freeze([]);

/** Keys of one presence, the longest silent first. */
export class SilenceList {
  #head: KeyedState | null = null;
  #tail: KeyedState | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The longest silent key. */
  get first(): KeyedState | null {
    return this.#head;
  }

  /** Puts a key into its place. That is most often the end. */
  insert(keyed: KeyedState): void {
    this.#size++;
    let before = this.#tail;
    while (before && bySilence(before, keyed) > 0) before = before.previous;
    const after = before ? before.next : this.#head;
    keyed.previous = before;
    keyed.next = after;
    if (before) before.next = keyed;
    else this.#head = keyed;
    if (after) after.previous = keyed;
    else this.#tail = keyed;
  }

  remove(keyed: KeyedState): void {
    this.#size--;
    if (keyed.previous) keyed.previous.next = keyed.next;
    else this.#head = keyed.next;
    if (keyed.next) keyed.next.previous = keyed.previous;
    else this.#tail = keyed.previous;
    keyed.previous = keyed.next = null;
  }

  /** Takes out all keys that were last seen before `lastSeen`, the longest silent first. */
  takeSeenBefore(lastSeen: Milliseconds): readonly KeyedState[] {
    if (this.#head === null || this.#head.lastSeen >= lastSeen) return NONE;
    const taken: KeyedState[] = [];
    for (let keyed: KeyedState | null = this.#head; keyed && keyed.lastSeen < lastSeen; keyed = this.#head) {
      this.remove(keyed);
      taken.push(keyed);
    }
    return taken;
  }
}

/** The longest silent first. Of two keys that were seen at the same time, the one of the earlier step. */
export function bySilence(a: KeyedState, b: KeyedState): number {
  return a.lastSeen - b.lastSeen || a.lastSeenAt - b.lastSeenAt || byKey(a, b);
}

/** Byte order of ASCII keys. */
export function byKey(a: KeyedState, b: KeyedState): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}
