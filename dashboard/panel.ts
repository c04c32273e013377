import type { Samples } from "./client.ts";
import { time } from "./format.ts";
import { rejectedAddress } from "./rejected.ts";
import { storyAddress, storyLink } from "./story.ts";
import { COLOURS, Trace } from "./trace.ts";

/** One chosen sensor: its traces, its newest window, and its activity. */
export class Panel {
  element = document.createElement("article");
  #trace;
  #window = document.createElement("dl");
  /** To the story of the message by which the window fired. It stays the same element, so that it keeps the focus. */
  #story;
  #activity = document.createElement("span");
  #dropped = document.createElement("span");
  #warning = document.createElement("p");
  #heard = document.createElement("span");
  #rejected = document.createElement("p");
  /** What the newest refused message says, and where its letter is. */
  #refusal = { text: document.createElement("span"), link: document.createElement("a") };
  #refused = 0;

  constructor(sensorId: string) {
    this.element.className = "panel";
    this.element.dataset.sensor = sensorId;
    const title = document.createElement("h2");
    title.textContent = sensorId;
    const legend = document.createElement("span");
    legend.className = "legend";
    for (const [name, colour] of Object.entries(COLOURS)) {
      const entry = document.createElement("span");
      const line = document.createElement("i");
      line.style.background = `var(${colour})`;
      entry.append(line, name === "accMag" ? "|a|" : name);
      legend.append(entry);
    }
    legend.append("m/s²");
    this.#activity.className = "activity";
    this.#dropped.className = "muted";
    this.#warning.className = "warning";
    this.#warning.hidden = true;
    const head = document.createElement("div");
    head.className = "panel-head";
    this.#heard.className = "status";
    this.#heard.hidden = true;
    this.#rejected.className = "rejected";
    this.#rejected.setAttribute("role", "status");
    this.#refusal.link.textContent = "why, and what to do";
    head.append(title, this.#heard, legend, this.#dropped, this.#activity);
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `Acceleration of ${sensorId} over the last ten seconds`);
    this.#trace = new Trace(canvas);
    this.#window.className = "window";
    this.#story = storyLink("", `the newest window of ${sensorId}`);
    this.#story.hidden = true;
    this.element.append(head, this.#rejected, this.#warning, canvas, this.#window, this.#story);
  }

  samples(columns: Samples) {
    this.#trace.add(columns);
  }

  window({
    id,
    window,
    count,
    revision,
    cause,
    channels,
  }: {
    id: string;
    window: { start: number; end: number };
    count: number;
    revision: number;
    cause: string;
    channels: Record<string, { mean: number; std: number; rms: number }>;
  }) {
    this.#story.href = storyAddress(id);
    this.#story.hidden = false;
    const time = new Date(window.start).toLocaleTimeString();
    const entries = {
      [`window ${time}`]: `${((window.end - window.start) / 1_000).toFixed(1)} s`,
      readings: count,
      "|a| mean": channels.accMag?.mean.toFixed(2),
      "|a| std": channels.accMag?.std.toFixed(2),
      fired: revision > 0 ? `${cause}, revision ${revision}` : cause,
    };
    this.#window.replaceChildren(
      ...Object.entries(entries).map(([name, value]) => {
        const group = document.createElement("div");
        const term = document.createElement("dt");
        term.textContent = name;
        const definition = document.createElement("dd");
        definition.textContent = String(value ?? "–");
        group.append(term, definition);
        return group;
      }),
    );
  }

  inference({
    label,
    probabilities,
    model,
  }: {
    label: string | null;
    probabilities: Record<string, number> | null;
    model: { name: string; version: string };
  }) {
    const share = label !== null && probabilities ? ` ${Math.round((probabilities[label] ?? 0) * 100)} %` : "";
    const small = document.createElement("small");
    small.textContent = share;
    this.#activity.title = `${model.name} ${model.version}`;
    this.#activity.replaceChildren(label === null ? "–" : label.toLowerCase().replaceAll("_", " "), small);
  }

  dropped(samples: number) {
    this.#dropped.textContent = `${samples} samples skipped: this page was too slow`;
  }

  /** @param warnings About the sensor's newest session that has ended. */
  warnings(warnings: { message: string }[]) {
    this.#warning.textContent = warnings.map(({ message }) => message).join(" ");
    this.#warning.hidden = warnings.length === 0;
  }

  /** @param lastSeen Epoch ms. */
  heard(isLive: boolean, lastSeen: number) {
    this.#heard.hidden = false;
    this.#heard.className = isLive ? "status open" : "status";
    const text = isLive ? "live" : `silent since ${time(lastSeen)}`;
    if (this.#heard.textContent !== text) this.#heard.textContent = text;
  }

  /** Shows the newest refused message of the sensor. */
  rejected({
    sensorId,
    id,
    at,
    code,
    message,
    seq,
    boot,
  }: {
    sensorId: string;
    id: string;
    at: number;
    code: string;
    message: string;
    seq: number | null;
    boot: string | null;
  }) {
    this.#refused++;
    const number = seq === null ? "" : `, seq ${seq}${boot === null ? "" : ` of boot ${boot}`}`;
    const before = this.#refused > 1 ? ` ${(this.#refused - 1).toLocaleString()} before it.` : "";
    const { text, link } = this.#refusal;
    text.textContent = `Refused at ${time(at)}${number}: ${code}. ${message}${before} `;
    link.href = rejectedAddress({ sensorId }, id);
    if (!link.isConnected) this.#rejected.append(text, link);
  }

  draw() {
    this.#trace.draw();
  }
}
