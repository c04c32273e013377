/** The banner that says which end is lost, since when and why, and when the page tries again. */

import { byId } from "./dom.ts";
import { time } from "./format.ts";

/** `since` in epoch ms, `retryAt` on the page's clock. */
export type Loss = { since: number; reason: string; retryAt: number };

const NAMES = {
  api: "The API has not answered since",
  live: "The live feed has been cut since",
  status: "The status of npm start has not come since",
};

/** Time between two tries: it doubles from the first to the last, in ms. */
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 15_000;

/**
 * Time until the next try, in ms.
 *
 * @param failures In a row, 1 for the first.
 */
export function retryDelay(failures: number) {
  return Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1));
}

export class Losses {
  #losses: Record<keyof typeof NAMES, Loss | null> = { api: null, live: null, status: null };

  constructor() {
    setInterval(() => this.#count(), 250);
  }

  /** Greys what comes from an end that is lost. */
  lost(end: keyof typeof NAMES, reason: string, retryMs: number) {
    const since = this.#losses[end]?.since ?? Date.now();
    this.#losses[end] = { since, reason, retryAt: performance.now() + retryMs };
    this.#show(end);
  }

  found(end: keyof typeof NAMES) {
    if (this.#losses[end] === null) return;
    this.#losses[end] = null;
    this.#show(end);
  }

  #show(changed: keyof typeof NAMES) {
    document.body.classList.toggle(`${changed}-down`, this.#losses[changed] !== null);
    const losses = Object.entries(this.#losses).flatMap(([end, loss]) =>
      loss ? [`${NAMES[end as keyof typeof NAMES]} ${time(loss.since)}: ${loss.reason}.`] : [],
    );
    byId("loss").hidden = losses.length === 0;
    const text = losses.length === 0 ? "" : `${losses.join(" ")} What is grey is old.`;
    // A screen reader reads what changes: not the same text again, and not each second of the countdown.
    if (byId("loss-text").textContent !== text) byId("loss-text").textContent = text;
    this.#count();
  }

  #count() {
    const tries = Object.values(this.#losses).flatMap((loss) => (loss ? [loss.retryAt] : []));
    if (tries.length === 0) return;
    const seconds = Math.ceil((Math.min(...tries) - performance.now()) / 1_000);
    byId("loss-retry").textContent = seconds > 0 ? `Next try in ${seconds} s.` : "Trying now.";
  }
}
