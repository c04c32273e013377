/** One dead letter: why it was refused, what to do, its payload, and the command that sends it in again. */

import { h, render } from "preact";
import { answer, type Api, apiAt, type DeadLetter } from "./api.ts";
import { type Config, RequestError } from "./client.ts";
import { byId } from "./dom.ts";
import { NOTHING, showFigures, time } from "./format.ts";
import { SendLetter } from "./send-letter.tsx";
import { storyAddress } from "./story.ts";

export class Letter {
  #api: Api;
  #id = "";
  /** Whether what is shown is of this id: a letter does not change. */
  #isShown = false;
  /** Whether it says that there is none: it may still come, some time behind its notice. */
  #isAbsent = false;
  /** What stands before the arguments of an operator's command. */
  #command;
  /** Whether the page reaches the operators' API. */
  #isOperator;

  constructor({ restUrl, environment, operations = false }: Config) {
    this.#api = apiAt(restUrl);
    this.#isOperator = operations;
    this.#command =
      environment === "local" ? "npm run dead-letters --" : `npm run on-aws -- --env ${environment} dead-letters`;
    byId("copy-again").addEventListener("click", () => void this.#copy());
  }

  /** @param id Empty for none. */
  show(id: string) {
    if (id === this.#id) return;
    this.#id = id;
    this.#isShown = false;
    this.#isAbsent = false;
    byId("letter").hidden = true;
  }

  async refresh() {
    const id = this.#id;
    if (id === "" || this.#isShown) return;
    try {
      const letter = await answer(this.#api.GET("/dead-letters/{letterId}", { params: { path: { letterId: id } } }));
      if (id !== this.#id || this.#isShown) return;
      this.#isShown = true;
      this.#fill(letter);
    } catch (error) {
      if (!(error instanceof RequestError) || ![400, 404].includes(error.status)) throw error;
      if (id !== this.#id || this.#isAbsent) return;
      this.#isAbsent = true;
      this.#absent(id);
    }
    byId("letter").hidden = false;
    byId("letter-title").focus();
  }

  #fill(letter: DeadLetter) {
    const { code, message, at, stage, sensorId, symbol, source, mqttTopic, log, bytes, contentType } = letter;
    byId("letter-title").textContent = code;
    byId("letter-message").textContent = message;
    byId("letter-body").hidden = false;
    byId("letter-advice").textContent = letter.advice ?? "This version does not know the code: see the message.";
    const place = `dead-letter/${log.partition}/${log.offset}`;
    byId("letter-again").textContent = `${this.#command} send-again ${place}`;
    byId("copied").textContent = "";
    if (this.#isOperator) render(h(SendLetter, { key: letter.id, letter }), byId("letter-send"));
    // What the bridge wrote itself never was in an input.
    byId("letter-story").hidden = source === null;
    (byId("letter-story") as HTMLAnchorElement).href = storyAddress(letter.id);
    showFigures(byId("letter-facts"), {
      written: time(at),
      "refused by": stage,
      sensor: sensorId ?? NOTHING,
      ...(symbol === null ? {} : { symbol }),
      source: source ? `${source.topic}/${source.partition}/${source.offset}` : `MQTT ${mqttTopic ?? NOTHING}`,
      "in the log": place,
      id: letter.id,
      "content type": contentType ?? NOTHING,
      traceparent: letter.traceparent ?? NOTHING,
    });
    const { payload, isCut } = letter;
    byId("payload-of").textContent =
      payload === null ? "none" : `${(bytes ?? 0).toLocaleString()} bytes, as ${payload.encoding}`;
    byId("payload").hidden = payload === null;
    byId("payload").textContent = payload?.content ?? "";
    byId("payload-cut").hidden = !isCut;
  }

  #absent(id: string) {
    byId("letter-title").textContent = "Not there";
    byId("letter-message").textContent =
      `There is no dead letter ${id}, or it is not among the newest any more. The topic and the lake have all of them.`;
    byId("letter-body").hidden = true;
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(byId("letter-again").textContent ?? "");
      byId("copied").textContent = "Copied.";
    } catch {
      byId("copied").textContent = "The browser does not allow it: select the text.";
    }
  }
}
