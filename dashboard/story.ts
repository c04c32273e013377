/** The view of one message's story: what became of it, step by step, and what is missing. */

import type { Config } from "./client.ts";
import { byId } from "./dom.ts";
import type { View } from "./view.ts";

export type Identity = { key: string | null; seq: number | null; boot: string | null; tradeId: string | null };

export type Letter = { id: string; at: number; code: string; message: string; place: string };

export type Output = { id: string; at: number | null; place: string; role: "holds" | "caused"; what: string };

export type Arrival = {
  place: string;
  subject: {
    identity: Identity;
    times: { first: number; last: number } | null;
    readings: number;
  };
  appendedAt: number;
  ingestMs: number | null;
  traceparent: string | null;
  reinjectedFrom: string | null;
  bytes: number;
  letters: Letter[];
  outputs: Output[];
  verdict: string;
  why: string;
};

export type Delivery = { function: string; place: string; taken: boolean | null };

/** What `npm run trace -- --json` gives. */
export type Story = {
  wanted: string;
  arrivals: Arrival[];
  letters: Letter[];
  deliveries: Delivery[];
  neighbours: { seq: number; place: string; appendedAt: number }[];
  notes: string[];
};

/** Outputs of an arrival that are shown. */
const MAX_OUTPUTS = 100;

/**
 * The address of a story.
 *
 * @param name The id of a record, an output, a session or a trace.
 */
export function storyAddress(name: string) {
  return `#/story/${encodeURIComponent(name)}`;
}

/**
 * A link to a story.
 *
 * @param of What it is the story of, for who hears it.
 */
export function storyLink(name: string, of: string) {
  const link = document.createElement("a");
  link.className = "target";
  link.href = storyAddress(name);
  link.textContent = "Story";
  link.setAttribute("aria-label", `Story of ${of}`);
  return link;
}

export class StoryView implements View {
  readonly component = "processor";
  readonly source = "api";
  #config;
  #name = "";
  /** Whether the page has asked for it: it asks once, however long the answer takes. */
  #isAsked = false;

  constructor(config: Config) {
    this.#config = config;
    byId("story-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const name = (byId("story-name") as HTMLInputElement).value.trim();
      if (name !== "" && storyAddress(name) !== location.hash) location.hash = storyAddress(name);
      else void this.#ask();
    });
    byId("story-again").addEventListener("click", () => void this.#ask());
  }

  /**
   * Shows the story of an address.
   *
   * @param name Empty for none.
   */
  show(name: string) {
    document.title = "Story · Millrace";
    if (name === this.#name) return;
    this.#name = name;
    this.#isAsked = false;
    (byId("story-name") as HTMLInputElement).value = name;
    byId("story").replaceChildren();
    byId("story-command").hidden = true;
    this.#state(name === "" ? "Give the id of a record, an output, a session or a trace." : "");
  }

  hide() {
    this.#name = "";
  }

  async refresh() {
    if (this.#name !== "" && !this.#isAsked) await this.#ask();
  }

  async #ask() {
    const name = this.#name;
    if (name === "") return;
    this.#isAsked = true;
    if (!this.#config.operations) return this.#showCommand(name);
    byId("story").replaceChildren();
    this.#state("Reading the log …", "busy");
    let failure = "";

    let story: Story | null = null;
    try {
      const response = await fetch(`operations/trace?name=${encodeURIComponent(name)}`, { cache: "no-store" });
      const body = await response.json();
      if (response.ok) story = body;
      else failure = body.detail ?? `it answers ${response.status}`;
    } catch {
      failure = "there is no connection to npm start";
    }
    if (name !== this.#name) return;
    if (story) this.#tell(story);
    else this.#state(`There is no story: ${failure}.`, "failed");
  }

  #state(text: string, state: "busy" | "failed" | "done" = "done") {
    byId("story-state").textContent = text;
    byId("story-state").hidden = text === "";
    byId("story-state").classList.toggle("rejected", state === "failed");
    byId("story").setAttribute("aria-busy", String(state === "busy"));
    byId("story-again").hidden = state !== "failed";
  }

  /** The page reaches the log on one machine alone. */
  #showCommand(name: string) {
    this.#state("");
    byId("story-run").textContent = `npm run on-aws -- --env ${this.#config.environment} trace ${name}`;
    byId("story-command").hidden = false;
  }

  #tell(story: Story) {
    this.#state("");
    const { arrivals } = story;
    byId("story").replaceChildren(
      ...(arrivals.length > 0 ? arrivals.map((arrival) => arrivalPart(arrival, story)) : [neverArrived(story)]),
    );
    byId("story-title").focus();
  }
}

function arrivalPart(arrival: Arrival, { deliveries, notes }: Story) {
  const { subject, verdict, why, place, appendedAt, ingestMs, bytes, letters, outputs } = arrival;
  const { times, readings } = subject;
  const steps = document.createElement("ol");
  steps.className = "steps";
  if (times) steps.append(step(times.first, "measured", `${readings} readings, the last at ${iso(times.last)}`));
  if (ingestMs !== null) steps.append(step(ingestMs, "received", "by the platform"));
  const again = arrival.reinjectedFrom === null ? "" : `, sent in again from ${arrival.reinjectedFrom}`;
  steps.append(step(appendedAt, "appended", `${bytes.toLocaleString()} bytes${again}`, place, deliveries, place));
  for (const letter of letters) steps.append(letterStep(letter, deliveries));
  for (const { at, role, what, id, place: written } of outputs.slice(0, MAX_OUTPUTS))
    steps.append(step(at, role === "holds" ? "output" : "also fired", what, id, deliveries, written));
  const more = outputs.length - MAX_OUTPUTS;
  return part(nameOf(subject.identity), verdict, why, steps, [
    ...(arrival.traceparent === null ? [] : [`Its trace id is ${arrival.traceparent.slice(3, 35)}.`]),
    ...(more > 0 ? [`${more} more outputs: npm run trace has all.`] : []),
    ...notes.map((note) => `Note: ${note}.`),
  ]);
}

function neverArrived({ wanted, letters, neighbours, deliveries, notes }: Story) {
  const steps = document.createElement("ol");
  steps.className = "steps";
  for (const letter of letters) steps.append(letterStep(letter, deliveries));
  for (const { seq, place, appendedAt } of neighbours)
    steps.append(step(appendedAt, "arrived", `seq ${seq} of the same boot`, place));
  const verdict = letters.length > 0 ? "dead-lettered by the bridge" : "never arrived";
  const why = letters.length > 0 ? "Kafka could not take it" : "it is not in the log";
  return part(
    wanted,
    verdict,
    why,
    steps,
    notes.map((note) => `Note: ${note}.`),
  );
}

function part(name: string, verdict: string, why: string, steps: HTMLElement, notes: string[]) {
  const element = document.createElement("article");
  const title = document.createElement("h3");
  const mark = document.createElement("span");
  mark.className = `status ${verdict === "accepted" ? "open" : ""}`;
  mark.textContent = verdict;
  title.append(`${name} `, mark);
  const reason = document.createElement("p");
  reason.textContent = `${why[0]?.toUpperCase() ?? ""}${why.slice(1)}.`;
  element.append(title, reason, steps);
  for (const text of notes) {
    const note = document.createElement("p");
    note.className = "muted hint";
    note.textContent = text;
    element.append(note);
  }
  return element;
}

function letterStep({ at, id, code, message, place }: Letter, deliveries: Delivery[]) {
  const element = step(at, "dead letter", `${code}: ${message}`, place, deliveries, place);
  const link = document.createElement("a");
  link.className = "target";
  link.href = `#/rejected/${encodeURIComponent(id)}`;
  link.textContent = "What to do";
  element.append(link);
  return element;
}

/**
 * One step: when, what, and who has taken it.
 *
 * @param at Epoch ms.
 * @param place Where it stands: what functions have taken is known by it.
 */
function step(
  at: number | null,
  name: string,
  text: string,
  id: string = "",
  deliveries: Delivery[] = [],
  place: string = "",
) {
  const element = document.createElement("li");
  const when = document.createElement("time");
  when.textContent = at === null ? "at an unknown time" : iso(at);
  const title = document.createElement("strong");
  title.textContent = name;
  const what = document.createElement("span");
  what.textContent = text;
  // A space keeps the parts apart for who hears them.
  element.append(when, " ", title, " ", what);
  if (id !== "") {
    const code = document.createElement("code");
    code.textContent = id;
    element.append(" ", code);
  }
  const of = deliveries.filter((delivery) => delivery.place === place);
  for (const [taken, label] of [
    [true, "taken by"],
    [false, "not yet taken by"],
  ] as const) {
    const names = of.filter((delivery) => delivery.taken === taken).map((delivery) => delivery.function);
    if (names.length === 0) continue;
    const by = document.createElement("small");
    by.className = "muted";
    by.textContent = `${label} ${names.join(", ")}`;
    element.append(" ", by);
  }
  return element;
}

function nameOf({ key, seq, boot, tradeId }: Identity) {
  if (key === null) return "A record without a key";
  if (tradeId !== null) return `Symbol ${key}, trade ${tradeId}`;
  if (seq === null) return `${key}, whose number can't be read`;
  return `Sensor ${key}, seq ${seq}${boot === null ? "" : `, boot ${boot}`}`;
}

/** @param ms Epoch ms. */
function iso(ms: number) {
  return new Date(ms).toISOString();
}
