/** The view of what was refused: dead letters by sensor and code, and one of them with its payload. */
import { request, RequestError } from "./client.js";
import { CODES } from "./dead-letter-codes.js";
import { time } from "./format.js";
import { Letter } from "./letter.js";

/** @typedef {import("../domain/api.ts").ListedDeadLetter} ListedDeadLetter */

/** Letters in a page of the list. */
const PAGE = 50;
const SENSOR_ID = /^[A-Za-z0-9:_-]{1,128}$/;
/** What an address may say about the list. */
const FILTERS = /** @type {const} */ (["sensorId", "code", "cursor"]);

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/**
 * The address of a list, or of a letter within it.
 *
 * @param {Record<string, string>} filters
 * @param {string} [letterId]
 */
export function rejectedAddress(filters, letterId = "") {
  const query = new URLSearchParams(Object.entries(filters).filter(([, value]) => value !== "")).toString();
  return `#/rejected${letterId ? `/${encodeURIComponent(letterId)}` : ""}${query ? `?${query}` : ""}`;
}

export class RejectedView {
  #restUrl;
  #letter;
  /** @type {Record<(typeof FILTERS)[number], string>} */
  #filters = { sensorId: "", code: "", cursor: "" };
  /** The links of the list by the ids of their letters. @type {Map<string, HTMLAnchorElement>} */
  #links = new Map();
  #letterId = "";

  /** @param {import("./client.js").Config} config */
  constructor(config) {
    this.#restUrl = config.restUrl;
    this.#letter = new Letter(config);
    /** @type {HTMLSelectElement} */ (byId("letter-code")).append(...CODES.map((code) => new Option(code)));
    byId("letter-filters").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#filter();
    });
    byId("letter-code").addEventListener("change", () => this.#filter());
    byId("letters").addEventListener("keydown", (event) => this.#move(event));
  }

  /** Goes to the list of what the form says. */
  #filter() {
    const sensorId = /** @type {HTMLInputElement} */ (byId("letter-sensor")).value.trim();
    const code = /** @type {HTMLSelectElement} */ (byId("letter-code")).value;
    location.hash = rejectedAddress({ sensorId, code });
  }

  /**
   * Shows the list and the letter of an address.
   *
   * @param {string} letterId Empty for none.
   * @param {URLSearchParams} query
   */
  show(letterId, query) {
    const [before, shown] = [this.#letterId, JSON.stringify(this.#filters)];
    for (const name of FILTERS) this.#filters[name] = query.get(name) ?? "";
    const { sensorId, code, cursor } = this.#filters;
    this.#letterId = letterId;
    document.title = `${sensorId || "Rejected"} · Millrace`;
    if (shown !== JSON.stringify(this.#filters)) this.#clear();
    const sensor = /** @type {HTMLInputElement} */ (byId("letter-sensor"));
    if (document.activeElement !== sensor) sensor.value = sensorId;
    /** @type {HTMLSelectElement} */ (byId("letter-code")).value = code;
    link("letters-newest", cursor === "" ? "" : rejectedAddress({ sensorId, code }));
    /** @type {HTMLAnchorElement} */ (byId("letter-close")).href = rejectedAddress(this.#filters);
    this.#letter.show(letterId);
    if (before !== "" && letterId === "") this.#links.get(before)?.focus();
    this.#mark();
  }

  hide() {
    this.#letter.show("");
  }

  /** Nothing of this view is live: the list is read again and again. */
  message() {
    return null;
  }

  frame() {}

  async reload() {
    await this.refresh();
  }

  async refresh() {
    await Promise.all([this.#letter.refresh(), this.#refreshList()]);
  }

  async #refreshList() {
    const asked = { ...this.#filters };
    const wrong = wrongFilter(asked);
    notice(wrong);
    if (wrong !== "") return;
    const query = new URLSearchParams({ limit: String(PAGE) });
    for (const [name, value] of Object.entries(asked)) if (value !== "") query.set(name, value);
    /** @type {{ items: ListedDeadLetter[]; next: string | null }} */
    let list;
    try {
      list = await request(this.#restUrl, `/dead-letters?${query.toString()}`);
    } catch (error) {
      if (!(error instanceof RequestError) || error.status !== 400) throw error;
      notice("The API does not know this address: begin with the newest.");
      return;
    }
    if (JSON.stringify(asked) !== JSON.stringify(this.#filters)) return;
    this.#showList(list.items);
    link("letters-older", list.next === null ? "" : rejectedAddress({ ...asked, cursor: list.next }));
  }

  /** What is there stays the same element, so that it keeps the focus. @param {ListedDeadLetter[]} letters */
  #showList(letters) {
    const list = byId("letters");
    const wanted = new Set(letters.map(({ id }) => id));
    for (const [id, entry] of this.#links) {
      if (wanted.has(id) || entry === document.activeElement) continue;
      entry.parentElement?.remove();
      this.#links.delete(id);
    }
    letters.forEach((letter, i) => {
      if (!this.#links.has(letter.id)) {
        const entry = letterLink(letter, rejectedAddress(this.#filters, letter.id));
        const item = document.createElement("li");
        item.append(entry);
        list.insertBefore(item, list.children[i] ?? null);
        this.#links.set(letter.id, entry);
      }
    });
    byId("letters-empty").hidden = letters.length > 0;
    this.#mark();
  }

  #clear() {
    this.#links.clear();
    byId("letters").replaceChildren();
    byId("letters-empty").hidden = true;
    link("letters-older", "");
    notice("");
  }

  #mark() {
    for (const [id, entry] of this.#links)
      if (id === this.#letterId) entry.setAttribute("aria-current", "true");
      else entry.removeAttribute("aria-current");
  }

  /** Arrow keys, Home and End move in the list. @param {KeyboardEvent} event */
  #move(event) {
    const links = [...byId("letters").querySelectorAll("a")];
    const at = links.indexOf(/** @type {HTMLAnchorElement} */ (document.activeElement));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 }[event.key];
    if (to === undefined || !links[to]) return;
    event.preventDefault();
    links[to].focus();
  }
}

/**
 * What is wrong with what an address filters by; empty where nothing is.
 *
 * @param {{ sensorId: string; code: string }} filters
 */
function wrongFilter({ sensorId, code }) {
  if (sensorId !== "" && !SENSOR_ID.test(sensorId))
    return `${sensorId} is no sensor id: 1 to 128 of A-Z a-z 0-9 : _ - are expected.`;
  return code === "" || CODES.includes(code) ? "" : `${code} is no code of a dead letter: choose one of the list.`;
}

/** @param {ListedDeadLetter} letter @param {string} address */
function letterLink({ at, code, sensorId, symbol, stage, message }, address) {
  const entry = document.createElement("a");
  entry.href = address;
  const parts = { at: time(at), code, about: sensorId ?? symbol ?? stage, message };
  for (const [name, text] of Object.entries(parts)) {
    const part = document.createElement("span");
    part.className = name;
    part.textContent = text;
    // A space keeps the parts apart for who hears them.
    entry.append(part, " ");
  }
  return entry;
}

/** @param {string} id @param {string} address Empty for none. */
function link(id, address) {
  const element = /** @type {HTMLAnchorElement} */ (byId(id));
  element.hidden = address === "";
  if (address !== "") element.href = address;
}

/** @param {string} text */
function notice(text) {
  byId("rejected-notice").textContent = text;
  byId("rejected-notice").hidden = text === "";
}
