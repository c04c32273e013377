/** The view of what was refused: dead letters by sensor and code, and one of them with its payload. */

import { type DeadLetterCode, deadLetterCodes } from "../domain/errors.ts";
import { answer, type Api, apiAt, type List, type ListedDeadLetter } from "./api.ts";
import { type Config, RequestError } from "./client.ts";
import { byId } from "./dom.ts";
import { time } from "./format.ts";
import { Letter } from "./letter.ts";
import type { View } from "./view.ts";

const CODES = Object.keys(deadLetterCodes);
/** Letters in a page of the list. */
const PAGE = 50;
const SENSOR_ID = /^[A-Za-z0-9:_-]{1,128}$/;
/** What an address may say about the list. */
const FILTERS = ["sensorId", "code", "cursor"] as const;

/** The address of a list, or of a letter within it. */
export function rejectedAddress(filters: Record<string, string>, letterId: string = "") {
  const query = new URLSearchParams(Object.entries(filters).filter(([, value]) => value !== "")).toString();
  return `#/rejected${letterId ? `/${encodeURIComponent(letterId)}` : ""}${query ? `?${query}` : ""}`;
}

export class RejectedView implements View {
  readonly component = "processor";
  readonly source = "api";
  #api: Api;
  #letter;

  #filters: Record<(typeof FILTERS)[number], string> = { sensorId: "", code: "", cursor: "" };
  /** The links of the list by the ids of their letters. */
  #links: Map<string, HTMLAnchorElement> = new Map();
  #letterId = "";

  constructor(config: Config) {
    this.#api = apiAt(config.restUrl);
    this.#letter = new Letter(config);
    (byId("letter-code") as HTMLSelectElement).append(...CODES.map((code) => new Option(code)));
    byId("letter-filters").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#filter();
    });
    byId("letter-code").addEventListener("change", () => this.#filter());
    byId("letters").addEventListener("keydown", (event) => this.#move(event));
  }

  /** Goes to the list of what the form says. */
  #filter() {
    const sensorId = (byId("letter-sensor") as HTMLInputElement).value.trim();
    const code = (byId("letter-code") as HTMLSelectElement).value;
    location.hash = rejectedAddress({ sensorId, code });
  }

  /**
   * Shows the list and the letter of an address.
   *
   * @param letterId Empty for none.
   */
  show(letterId: string, query: URLSearchParams) {
    const [before, shown] = [this.#letterId, JSON.stringify(this.#filters)];
    for (const name of FILTERS) this.#filters[name] = query.get(name) ?? "";
    const { sensorId, code, cursor } = this.#filters;
    this.#letterId = letterId;
    document.title = `${sensorId || "Rejected"} · Millrace`;
    if (shown !== JSON.stringify(this.#filters)) this.#clear();
    const sensor = byId("letter-sensor") as HTMLInputElement;
    if (document.activeElement !== sensor) sensor.value = sensorId;
    (byId("letter-code") as HTMLSelectElement).value = code;
    link("letters-newest", cursor === "" ? "" : rejectedAddress({ sensorId, code }));
    (byId("letter-close") as HTMLAnchorElement).href = rejectedAddress(this.#filters);
    this.#letter.show(letterId);
    if (before !== "" && letterId === "") this.#links.get(before)?.focus();
    this.#mark();
  }

  hide() {
    this.#letter.show("");
  }

  async refresh() {
    await Promise.all([this.#letter.refresh(), this.#refreshList()]);
  }

  async #refreshList() {
    const asked = { ...this.#filters };
    const wrong = wrongFilter(asked);
    notice(wrong);
    if (wrong !== "") return;
    const { sensorId, code, cursor } = asked;
    const query = {
      limit: PAGE,
      ...(sensorId && { sensorId }),
      ...(code && { code: code as DeadLetterCode }),
      ...(cursor && { cursor }),
    };
    let list: List<ListedDeadLetter>;
    try {
      list = await answer(this.#api.GET("/dead-letters", { params: { query } }));
    } catch (error) {
      if (!(error instanceof RequestError) || error.status !== 400) throw error;
      notice("The API does not know this address: begin with the newest.");
      return;
    }
    if (JSON.stringify(asked) !== JSON.stringify(this.#filters)) return;
    this.#showList(list.items);
    link("letters-older", list.next === null ? "" : rejectedAddress({ ...asked, cursor: list.next }));
  }

  /** What is there stays the same element, so that it keeps the focus. */
  #showList(letters: readonly ListedDeadLetter[]) {
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

  /** Arrow keys, Home and End move in the list. */
  #move(event: KeyboardEvent) {
    const links = [...byId("letters").querySelectorAll("a")];
    const at = links.indexOf(document.activeElement as HTMLAnchorElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 }[event.key];
    if (to === undefined || !links[to]) return;
    event.preventDefault();
    links[to].focus();
  }
}

/** What is wrong with what an address filters by; empty where nothing is. */
function wrongFilter({ sensorId, code }: { sensorId: string; code: string }) {
  if (sensorId !== "" && !SENSOR_ID.test(sensorId))
    return `${sensorId} is no sensor id: 1 to 128 of A-Z a-z 0-9 : _ - are expected.`;
  return code === "" || CODES.includes(code) ? "" : `${code} is no code of a dead letter: choose one of the list.`;
}

function letterLink({ at, code, sensorId, symbol, stage, message }: ListedDeadLetter, address: string) {
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

/** @param address Empty for none. */
function link(id: string, address: string) {
  const element = byId(id) as HTMLAnchorElement;
  element.hidden = address === "";
  if (address !== "") element.href = address;
}

function notice(text: string) {
  byId("rejected-notice").textContent = text;
  byId("rejected-notice").hidden = text === "";
}
