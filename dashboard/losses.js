/** The banner that says which end is lost, since when and why, and when the page tries again. */
import { time } from "./format.js";

/**
 * @typedef {{ since: number; reason: string; retryAt: number }} Loss `since` in epoch ms, `retryAt` on the page's
 *   clock.
 */

const NAMES = {
  api: "The API has not answered since",
  live: "The live feed has been cut since",
  status: "The status of npm start has not come since",
};

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** Time between two tries: it doubles from the first to the last, in ms. */
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 15_000;

/** Time until the next try, in ms. @param {number} failures In a row, 1 for the first. */
export function retryDelay(failures) {
  return Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1));
}

export class Losses {
  /** @type {Record<keyof typeof NAMES, Loss | null>} */
  #losses = { api: null, live: null, status: null };

  constructor() {
    setInterval(() => this.#count(), 250);
  }

  /**
   * Greys what comes from an end that is lost. @param {keyof typeof NAMES} end @param {string} reason @param {number}
   * retryMs
   */
  lost(end, reason, retryMs) {
    const since = this.#losses[end]?.since ?? Date.now();
    this.#losses[end] = { since, reason, retryAt: performance.now() + retryMs };
    this.#show(end);
  }

  /** @param {keyof typeof NAMES} end */
  found(end) {
    if (this.#losses[end] === null) return;
    this.#losses[end] = null;
    this.#show(end);
  }

  /** @param {keyof typeof NAMES} changed */
  #show(changed) {
    document.body.classList.toggle(`${changed}-down`, this.#losses[changed] !== null);
    const losses = Object.entries(this.#losses).flatMap(([end, loss]) =>
      loss ? [`${NAMES[/** @type {keyof typeof NAMES} */ (end)]} ${time(loss.since)}: ${loss.reason}.`] : [],
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
