/** Client of the REST and WebSocket API. */

import type { LiveMessage, Subject, WebSocketAnswer } from "../domain/live-messages.ts";
import type { ResumeType } from "../domain/resume.ts";
import type { components } from "./api-types.ts";
import { retryDelay } from "./losses.ts";
import type { SignIn } from "./sign-in.ts";

/** Where devices publish. */
export interface Mqtt {
  /** Null for the account's endpoint of IoT Core, with certificates. */
  readonly url: string | null;
  /** What topics begin with, without the slash; null for nothing. */
  readonly prefix: string | null;
}

/** Where the page signs in: a public client of the issuer, that has the page's address as its redirect URI. */
export interface SignInConfig {
  readonly issuer: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
  /** What the issuer wants beside, to give a token for the API. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly groupsClaim: string;
  readonly operatorsGroup: string;
  /** Where to sign out, at an issuer whose discovery document has no `end_session_endpoint` that does it. */
  readonly signOutUrl?: string;
}

/** `operations`: whether the page's own server tells of alarms. `signIn` is absent where the API is open. */
export interface Config {
  readonly environment: string;
  readonly restUrl: string;
  readonly webSocketUrl: string;
  readonly operations?: boolean;
  readonly mqtt?: Mqtt;
  readonly signIn?: SignInConfig;
}

/** Close code of a WebSocket that was not closed by the protocol. */
const LOST = 1006;

/** An answer of the API that is no success. */
export class RequestError extends Error {
  readonly status: number;
  /** What the API says is wrong; null where it does not say. */
  readonly problem: components["schemas"]["Problem"] | null;

  constructor(path: string, status: number, problem: RequestError["problem"] = null) {
    super(`${path}: ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

export async function loadConfig(): Promise<Config> {
  const response = await fetch("config.json", { cache: "no-store" });
  if (!response.ok) throw new Error(`config.json: ${response.status}`);
  return response.json() as Promise<Config>;
}

/** Null where the API is open. */
let signIn: SignIn | null = null;

/** Requests have the token of this session from here on. */
export function authorizeBy(one: SignIn): void {
  signIn = one;
}

/**
 * Sends a request, with the session's token where there is one.
 *
 * @returns Nothing where the API no longer takes the token: the page asks to sign in again, and is loaded anew then.
 */
export async function send(request: Request): Promise<Response> {
  if (signIn) request.headers.set("authorization", `Bearer ${await signIn.token()}`);
  const response = await fetch(request);
  return response.status === 401 && signIn ? signIn.expired() : response;
}

/** What arrives at once is one of them, or an array. Answers to what the page sends have no data. */
type Frame = LiveMessage | WebSocketAnswer;

/** A WebSocket that reconnects, and then renews its subscriptions: what was missed meanwhile comes, too. */
export class Live {
  #socket: WebSocket | null = null;
  /** As JSON. */
  #subjects: Set<string> = new Set();
  /** The last ids that have come of each sensor that is subscribed to. */
  #last: Map<string, Record<ResumeType, string>> = new Map();
  #config;
  #onMessage;
  #onState;
  /** Connections that failed in a row. */
  #failed = 0;

  constructor(
    config: Config,
    onMessage: (message: LiveMessage) => void,
    onState: (connected: boolean, loss?: { reason: string; retryMs: number }) => void,
  ) {
    this.#config = config;
    this.#onMessage = onMessage;
    this.#onState = onState;
    void this.#connect();
  }

  subscribe(subject: Subject, wanted: boolean) {
    if (wanted) this.#subjects.add(JSON.stringify(subject));
    else this.#subjects.delete(JSON.stringify(subject));
    if (!wanted && "sensorId" in subject) this.#last.delete(subject.sensorId);
    this.#send(wanted ? "subscribe" : "unsubscribe", subject);
  }

  #send(action: "subscribe" | "unsubscribe", subject: Subject) {
    const resume = action === "subscribe" && "sensorId" in subject ? this.#last.get(subject.sensorId) : undefined;
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify({ action, ...subject, resume }));
  }

  /** Until a type has come, what came since the first message of another one is missed of it. */
  #note({ type, data }: LiveMessage) {
    if (type !== "window" && type !== "session" && type !== "inference") return;
    const { sensorId, id } = data;
    if (!this.#subjects.has(JSON.stringify({ sensorId }))) return;
    const last = this.#last.get(sensorId) ?? { window: id, session: id, inference: id };
    this.#last.set(sensorId, { ...last, [type]: id });
  }

  /** A browser cannot set headers on a WebSocket, so a ticket in the query string takes the place of the token. */
  async #ticketQuery() {
    if (!signIn) return "";
    const path = `${this.#config.restUrl.replace(/\/$/, "")}/tickets`;
    const response = await send(new Request(path, { method: "POST" }));
    if (!response.ok) throw new RequestError("/tickets", response.status);
    const { ticket } = (await response.json()) as components["schemas"]["Ticket"];
    return `?ticket=${encodeURIComponent(ticket)}`;
  }

  async #connect() {
    let query: string;
    try {
      query = await this.#ticketQuery();
    } catch (error) {
      this.#tryAgain(`no ticket for it (${String(error)})`);
      return;
    }
    const socket = new WebSocket(this.#config.webSocketUrl + query);
    this.#socket = socket;
    socket.addEventListener("open", () => {
      this.#failed = 0;
      this.#onState(true);
      for (const subject of this.#subjects) this.#send("subscribe", JSON.parse(subject) as Subject);
    });
    socket.addEventListener("message", ({ data }: MessageEvent<string>) => {
      const messages = JSON.parse(data) as Frame | Frame[];
      for (const message of Array.isArray(messages) ? messages : [messages])
        if ("data" in message) {
          this.#note(message);
          this.#onMessage(message);
        }
    });
    socket.addEventListener("close", ({ code, reason }) => {
      this.#tryAgain(
        code === LOST ? "the connection was lost" : `the server has ended it (${code}${reason && ` ${reason}`})`,
      );
    });
  }

  /** @param reason Why there is no connection. */
  #tryAgain(reason: string) {
    const retryMs = retryDelay(++this.#failed);
    this.#onState(false, { reason, retryMs });
    setTimeout(() => void this.#connect(), retryMs);
  }
}
