/** The first run: how to publish a message, and what becomes of it, as soon as it is known. */
import { render } from "preact";
import { useRef, useState } from "preact/hooks";
import { SENSOR_ID } from "../domain/imu.ts";
import { isOfSensor, type LiveMessage } from "../domain/live-messages.ts";
import { answer, type Api, apiAt } from "./api.ts";
import type { Config, Live } from "./client.ts";
import { byId } from "./dom.ts";
import { time } from "./format.ts";
import { liveAddress } from "./live-address.ts";
import { publishCommand, refusalsCommand } from "./publish-commands.ts";
import { rejectedAddress } from "./rejected.ts";
import type { Counted, View } from "./view.ts";

const DEFAULT_SENSOR = "my-sensor";
/** Messages that are listed: the newest. */
const LISTED = 5;
/** Dead letters that are read: the newest. */
const LETTERS = 20;

/** What became of a message. */
export type Outcome =
  | { readonly kind: "accepted"; readonly id: string; readonly at: number; readonly readings: number }
  | {
      readonly kind: "refused";
      readonly id: string;
      readonly at: number;
      readonly code: string;
      readonly message: string;
      /** What its sender can do; null until it is known. */
      readonly advice: string | null;
      /** Where it came by, where the message names no sensor. */
      readonly topic: string | null;
    };

/** Whether no sensor has been heard yet. False where the API does not say. */
export async function isUnheard({ restUrl }: Config): Promise<boolean> {
  try {
    const { items } = await answer(apiAt(restUrl).GET("/sensors", { params: { query: { limit: 1 } } }));
    return items.length === 0;
  } catch {
    return false;
  }
}

export class PublishView implements View {
  readonly component = "processor";
  readonly source = "api";
  readonly #config: Config;
  readonly #api: Api;
  readonly #live: Live;
  #sensorId = "";
  /** Dead letters that were there when the view was opened. */
  #before: ReadonlySet<string> | null = null;
  /** The newest first. */
  #outcomes: readonly Outcome[] = [];

  constructor(config: Config, live: Live) {
    this.#config = config;
    this.#api = apiAt(config.restUrl);
    this.#live = live;
  }

  show(_name: string, query: URLSearchParams): void {
    document.title = "Publish · Millrace";
    const given = query.get("sensorId") ?? DEFAULT_SENSOR;
    const sensorId = SENSOR_ID.test(given) ? given : DEFAULT_SENSOR;
    if (sensorId !== this.#sensorId) {
      this.hide();
      this.#sensorId = sensorId;
      this.#before = null;
      this.#outcomes = [];
      this.#live.subscribe({ sensorId }, true);
    }
    this.#render();
  }

  hide(): void {
    if (this.#sensorId !== "") this.#live.subscribe({ sensorId: this.#sensorId }, false);
    this.#sensorId = "";
  }

  message(message: LiveMessage): Counted | null {
    if (!isOfSensor(message) || message.data.sensorId !== this.#sensorId) return null;
    if (message.type === "samples") {
      const { id, t } = message.data;
      this.#take({ kind: "accepted", id, at: Date.now(), readings: t.length });
      return { items: t.length, windows: 0, latency: null };
    }
    if (message.type === "rejected") {
      const { id, at, code, message: text } = message.data;
      this.#take({ kind: "refused", id, at, code, message: text, advice: null, topic: null });
      void this.refresh().catch(() => undefined);
    }
    return null;
  }

  /** Reads what came without the live feed: from a topic that names no sensor, or while the feed was away. */
  async refresh(): Promise<void> {
    const sensorId = this.#sensorId;
    const { items } = await answer(this.#api.GET("/dead-letters", { params: { query: { limit: LETTERS } } }));
    if (sensorId !== this.#sensorId) return;
    this.#before ??= new Set(items.map(({ id }) => id));
    for (const { id, at, code, message, advice, sensorId: of, mqttTopic } of items.toReversed()) {
      if (this.#before.has(id) || (of !== sensorId && (of !== null || mqttTopic === null))) continue;
      this.#take({ kind: "refused", id, at, code, message, advice, topic: of === null ? mqttTopic : null });
    }
  }

  /** Takes what is new, and what is known better now. */
  #take(outcome: Outcome): void {
    const known = this.#outcomes.findIndex(({ id }) => id === outcome.id);
    if (known < 0) this.#outcomes = [outcome, ...this.#outcomes].slice(0, LISTED);
    else if (outcome.kind === "refused" && outcome.advice !== null)
      this.#outcomes = this.#outcomes.with(known, outcome);
    this.#render();
  }

  #render(): void {
    if (this.#sensorId === "") return;
    const { mqtt = { url: null, prefix: null }, environment } = this.#config;
    render(
      <>
        <h1>Publish</h1>
        <section class="panel" aria-labelledby="how-title">
          <h2 id="how-title">How to publish</h2>
          <SensorForm key={this.#sensorId} sensorId={this.#sensorId} />
          {mqtt.url === null && (
            <p>
              A device of {environment} has a certificate of its own. Its sensor id is its client id. Files:{" "}
              <code>device.pem</code> and <code>device.key</code>.
            </p>
          )}
          <Command label="Command that publishes" text={publishCommand(mqtt, this.#sensorId)} />
          <p>
            This is one reading, taken now: acceleration in m/s² and angular rate in rad/s. <code>boot</code> changes
            when the device restarts, and <code>seq</code> counts its messages since.
          </p>
          <details>
            <summary>See on the device why a message is refused</summary>
            <Command label="Command that shows refusals" text={refusalsCommand(mqtt, this.#sensorId)} />
          </details>
        </section>
        <Outcomes sensorId={this.#sensorId} outcomes={this.#outcomes} topic={topicOf(mqtt.prefix, this.#sensorId)} />
      </>,
      byId("publish"),
    );
  }
}

function topicOf(prefix: string | null, sensorId: string): string {
  return `${prefix === null ? "" : `${prefix}/`}imu/${sensorId}`;
}

function SensorForm({ sensorId }: { readonly sensorId: string }) {
  const [value, setValue] = useState(sensorId);
  const isValid = SENSOR_ID.test(value);
  return (
    <form
      role="search"
      aria-label="Choose a sensor"
      onSubmit={(event) => {
        event.preventDefault();
        if (isValid) location.hash = `#/publish?sensorId=${encodeURIComponent(value)}`;
      }}
    >
      <label>
        Sensor id{" "}
        <input
          value={value}
          maxLength={128}
          autocomplete="off"
          aria-invalid={!isValid}
          aria-describedby="sensor-problem"
          onInput={({ currentTarget }) => setValue(currentTarget.value)}
        />
      </label>
      <button>Use</button>
      <span id="sensor-problem" class="bad" role="status">
        {!isValid && "1 to 128 of A-Z a-z 0-9 : _ - are expected."}
      </span>
    </form>
  );
}

function Command({ label, text }: { readonly label: string; readonly text: string }) {
  const code = useRef<HTMLPreElement>(null);
  const [state, setState] = useState("");
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      setState("Copied.");
    } catch {
      if (code.current) getSelection()?.selectAllChildren(code.current);
      setState("It is selected: copy it by the keyboard.");
    }
  };
  return (
    <>
      <pre ref={code} tabIndex={0} aria-label={label}>
        {text}
      </pre>
      <p>
        <button type="button" aria-label={`Copy: ${label}`} onClick={() => void copy()}>
          Copy
        </button>{" "}
        <span class="muted" role="status">
          {state}
        </span>
      </p>
    </>
  );
}

interface OutcomesProps {
  readonly sensorId: string;
  readonly topic: string;
  readonly outcomes: readonly Outcome[];
}

function Outcomes({ sensorId, topic, outcomes }: OutcomesProps) {
  const [newest, ...older] = outcomes;
  return (
    <section class="panel" aria-labelledby="outcome-title">
      <h2 id="outcome-title">What became of it</h2>
      <div role="status" class={`outcome ${newest?.kind ?? "waiting"}`}>
        {newest ? (
          <OneOutcome sensorId={sensorId} outcome={newest} />
        ) : (
          <p>Waiting for the first message of {sensorId} …</p>
        )}
      </div>
      {newest === undefined && (
        <p class="muted">
          Nothing comes? The topic must be <code>{topic}</code>, and the QoS 1. A message on another topic reaches
          nobody.
        </p>
      )}
      {older.length > 0 && (
        <ol class="records" aria-label="Messages before">
          {older.map((outcome) => (
            <li key={outcome.id}>
              <OneOutcome sensorId={sensorId} outcome={outcome} />
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

function OneOutcome({ sensorId, outcome }: { readonly sensorId: string; readonly outcome: Outcome }) {
  if (outcome.kind === "accepted")
    return (
      <p>
        <strong>Accepted</strong> at {time(outcome.at)}:{" "}
        {outcome.readings === 1 ? "1 reading" : `${outcome.readings} readings`}.{" "}
        <a class="target" href={liveAddress([sensorId])}>
          See it live
        </a>
      </p>
    );
  const { code, message, advice, at, topic, id } = outcome;
  return (
    <>
      <p>
        <strong>Refused</strong> at {time(at)}: {code}
        {topic === null ? ": " : ". "}
        {topic !== null && <>On the topic {topic}: </>}
        {message}.
      </p>
      {advice !== null && <p>{advice}</p>}
      <p>
        <a class="target" href={rejectedAddress({}, id)}>
          The message as it came
        </a>
      </p>
    </>
  );
}
