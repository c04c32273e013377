/** Client of the REST and WebSocket API. */
import { retryDelay } from "./losses.js";

/** `operations`: whether the page's own server tells of alarms. */
/** @typedef {{ environment: string; restUrl: string; webSocketUrl: string; operations?: boolean }} Config */
/**
 * @typedef {{
 *   type:
 *     | "samples"
 *     | "window"
 *     | "session"
 *     | "inference"
 *     | "rejected"
 *     | "trade"
 *     | "bar"
 *     | "alert"
 *     | "dropped"
 *     | "omitted"
 *     | "subscribed"
 *     | "unsubscribed"
 *     | "error";
 *   data?: any;
 *   sensorId?: string;
 *   message?: string;
 * }} LiveMessage
 */

const TOKEN = "millrace-token";
/** Close code of a WebSocket that was not closed by the protocol. */
const LOST = 1006;

/** An answer of the API that is no success. */
export class RequestError extends Error {
  /** @param {string} path @param {number} status */
  constructor(path, status) {
    super(`${path}: ${status}`);
    this.status = status;
  }
}

/** @returns {Promise<Config>} */
export async function loadConfig() {
  const response = await fetch("config.json", { cache: "no-store" });
  if (!response.ok) throw new Error(`config.json: ${response.status}`);
  return /** @type {Promise<Config>} */ (response.json());
}

/**
 * Pending while the login dialog is open.
 *
 * @type {Promise<void> | null}
 */
let asking = null;

/** Shows the login dialog. Concurrent callers share one dialog. */
function askForToken() {
  asking ??= new Promise((resolve) => {
    const dialog = /** @type {HTMLDialogElement} */ (document.getElementById("login"));
    dialog.addEventListener(
      "close",
      () => {
        sessionStorage.setItem(TOKEN, /** @type {HTMLInputElement} */ (document.getElementById("token")).value);
        asking = null;
        resolve();
      },
      { once: true },
    );
    dialog.showModal();
  });
  return asking;
}

/**
 * Sends a request, and asks for a token when the API wants one.
 *
 * @param {string} base
 * @param {string} path
 * @param {RequestInit} [options]
 * @returns {Promise<any>} The parsed body. `/health` also returns its body when the status is 503.
 * @throws RequestError with path and status for any other status that is not 2xx.
 */
export async function request(base, path, options = {}) {
  for (;;) {
    const token = sessionStorage.getItem(TOKEN);
    const response = await fetch(base.replace(/\/$/, "") + path, {
      ...options,
      headers: token ? { authorization: `Bearer ${token}` } : {},
    });
    if (response.status === 401 || response.status === 403) {
      await askForToken();
      continue;
    }
    if (!response.ok && path !== "/health") throw new RequestError(path, response.status);
    return response.json();
  }
}

/** What a client subscribes to. @typedef {{ sensorId: string } | { symbol: string }} Subject */

/** A WebSocket that reconnects, and then renews its subscriptions. */
export class Live {
  /** @type {WebSocket | null} */
  #socket = null;
  /** As JSON. @type {Set<string>} */
  #subjects = new Set();
  #config;
  #onMessage;
  #onState;
  /** Connections that failed in a row. */
  #failed = 0;

  /**
   * @param {Config} config
   * @param {(message: LiveMessage) => void} onMessage
   * @param {(connected: boolean, loss?: { reason: string; retryMs: number }) => void} onState
   */
  constructor(config, onMessage, onState) {
    this.#config = config;
    this.#onMessage = onMessage;
    this.#onState = onState;
    void this.#connect();
  }

  /** @param {Subject} subject @param {boolean} wanted */
  subscribe(subject, wanted) {
    if (wanted) this.#subjects.add(JSON.stringify(subject));
    else this.#subjects.delete(JSON.stringify(subject));
    this.#send(wanted ? "subscribe" : "unsubscribe", subject);
  }

  /** @param {"subscribe" | "unsubscribe"} action @param {Subject} subject */
  #send(action, subject) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify({ action, ...subject }));
  }

  /** A browser cannot set headers on a WebSocket, so a ticket in the query string takes the place of the token. */
  async #ticketQuery() {
    if (!sessionStorage.getItem(TOKEN)) return "";
    const { ticket } = await request(this.#config.restUrl, "/tickets", { method: "POST" });
    return `?ticket=${encodeURIComponent(ticket)}`;
  }

  async #connect() {
    let query;
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
      for (const subject of this.#subjects) this.#send("subscribe", JSON.parse(subject));
    });
    socket.addEventListener("message", ({ data }) => {
      const messages = JSON.parse(data);
      for (const message of Array.isArray(messages) ? messages : [messages]) this.#onMessage(message);
    });
    socket.addEventListener("close", ({ code, reason }) => {
      this.#tryAgain(
        code === LOST ? "the connection was lost" : `the server has ended it (${code}${reason && ` ${reason}`})`,
      );
    });
  }

  /** @param {string} reason Why there is no connection. */
  #tryAgain(reason) {
    const retryMs = retryDelay(++this.#failed);
    this.#onState(false, { reason, retryMs });
    setTimeout(() => void this.#connect(), retryMs);
  }
}
