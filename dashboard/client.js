/** The page's way to the REST and WebSocket API. */

/** @typedef {{ environment: string; restUrl: string; webSocketUrl: string }} Config */
/**
 * @typedef {{
 *   type: "samples" | "window" | "session" | "inference" | "dropped" | "subscribed" | "unsubscribed" | "error";
 *   data?: any;
 *   sensorId?: string;
 *   message?: string;
 * }} LiveMessage
 */

const TOKEN = "millrace-token";
const RECONNECT_MS = 1_500;

/** @returns {Promise<Config>} */
export async function loadConfig() {
  const response = await fetch("config.json", { cache: "no-store" });
  if (!response.ok) throw new Error(`config.json: ${response.status}`);
  return /** @type {Promise<Config>} */ (response.json());
}

/**
 * Asks for the access token; once for all requests that wait for it.
 *
 * @type {Promise<void> | null}
 */
let asking = null;
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
 * @param {string} base @param {string} path @param {RequestInit} [options] @returns {Promise<any>} the parsed body; of
 *   `/health` also when it is 503
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
    if (!response.ok && path !== "/health") throw new Error(`${path}: ${response.status}`);
    return response.json();
  }
}

/** A WebSocket that comes back, and subscribes again to what it was subscribed to. */
export class Live {
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {Set<string>} */
  #sensors = new Set();
  #config;
  #onMessage;
  #onState;

  /**
   * @param {Config} config @param {(message: LiveMessage) => void} onMessage @param {(connected: boolean) => void}
   *   onState
   */
  constructor(config, onMessage, onState) {
    this.#config = config;
    this.#onMessage = onMessage;
    this.#onState = onState;
    void this.#connect();
  }

  /** @param {string} sensorId @param {boolean} wanted */
  subscribe(sensorId, wanted) {
    if (wanted) this.#sensors.add(sensorId);
    else this.#sensors.delete(sensorId);
    this.#send(wanted ? "subscribe" : "unsubscribe", sensorId);
  }

  /** @param {"subscribe" | "unsubscribe"} action @param {string} sensorId */
  #send(action, sensorId) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify({ action, sensorId }));
  }

  async #connect() {
    let ticket = "";
    try {
      // A browser can't set headers on a WebSocket: where a token is needed, a ticket stands for it.
      if (sessionStorage.getItem(TOKEN))
        ticket = `?ticket=${encodeURIComponent((await request(this.#config.restUrl, "/tickets", { method: "POST" })).ticket)}`;
    } catch {
      setTimeout(() => void this.#connect(), RECONNECT_MS);
      return;
    }
    const socket = new WebSocket(this.#config.webSocketUrl + ticket);
    this.#socket = socket;
    socket.addEventListener("open", () => {
      this.#onState(true);
      for (const sensorId of this.#sensors) this.#send("subscribe", sensorId);
    });
    socket.addEventListener("message", ({ data }) => {
      const messages = JSON.parse(data);
      for (const message of Array.isArray(messages) ? messages : [messages]) this.#onMessage(message);
    });
    socket.addEventListener("close", () => {
      this.#onState(false);
      setTimeout(() => void this.#connect(), RECONNECT_MS);
    });
  }
}
