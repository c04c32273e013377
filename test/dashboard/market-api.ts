import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import type { AlertRecord, BarRecord, EnrichedRecord } from "../../domain/records.ts";

export interface MarketSymbolItem {
  readonly symbol: string;
  readonly firstSeen: number;
  readonly lastSeen: number;
}
export interface PositionItem {
  readonly symbol: string;
  readonly account: string;
  readonly quantity: number;
  readonly notional: number;
  readonly trades: number;
  readonly revision: number;
  readonly timestamp: number;
}

/** What the API has, for tests to change between two looks of the page. */
export interface MarketData {
  symbols: MarketSymbolItem[];
  bars: BarRecord[];
  alerts: AlertRecord[];
  positions: PositionItem[];
}

/** The market's part of the REST and WebSocket API, with data that a test gives. */
export class MarketApi {
  readonly data: MarketData;
  /** What the newest connection is subscribed to. */
  readonly subscriptions = new Set<string>();
  /** Whether the environment runs the market. */
  market = true;
  port = 0;
  #server: Server | null = null;
  #webSockets: WebSocketServer | null = null;
  #connections = new Set<Socket>();

  constructor(data: MarketData) {
    this.data = data;
  }

  /** Listens, the second time on the port of the first. */
  async start(): Promise<void> {
    this.#server = createServer((request, response) => this.#answer(request, response));
    this.#server.on("connection", (socket: Socket) => {
      this.#connections.add(socket);
      socket.on("close", () => this.#connections.delete(socket));
    });
    this.#webSockets = new WebSocketServer({ server: this.#server });
    this.#webSockets.on("connection", (socket) => this.#connect(socket));
    this.#server.listen(this.port, "127.0.0.1");
    await once(this.#server, "listening");
    this.port = (this.#server.address() as AddressInfo).port;
  }

  /** Ends every connection, and answers none until the next start. */
  async stop(): Promise<void> {
    if (!this.#server) return;
    const closed = once(this.#server, "close");
    this.#webSockets?.close();
    this.#server.close();
    for (const socket of this.#connections) socket.destroy();
    await closed;
    this.#server = null;
  }

  /** Sends a message to the connections that are subscribed to its symbol; several messages as an array. */
  send(
    ...messages: readonly { type: "trade" | "bar" | "alert"; data: EnrichedRecord | BarRecord | AlertRecord }[]
  ): void {
    const wanted = messages.filter(({ data }) => this.subscriptions.has(data.symbol));
    const text = JSON.stringify(wanted.length === 1 ? wanted[0] : wanted);
    if (wanted.length > 0) for (const client of this.#webSockets?.clients ?? []) client.send(text);
  }

  #connect(socket: WebSocket): void {
    this.subscriptions.clear();
    socket.on("message", (bytes: Buffer) => {
      const { action, symbol } = JSON.parse(bytes.toString("utf8")) as { action: string; symbol?: string };
      if (symbol === undefined) return;
      if (action === "subscribe") this.subscriptions.add(symbol);
      else this.subscriptions.delete(symbol);
      socket.send(JSON.stringify({ type: `${action}d`, symbol }));
    });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://api");
    const body = this.#body(pathname, searchParams);
    response.writeHead(body === null ? 404 : 200, {
      "content-type": body === null ? "application/problem+json" : "application/json",
      "access-control-allow-origin": "*",
    });
    response.end(JSON.stringify(body ?? { type: "urn:millrace:problem:not-found", title: "none", status: 404 }));
  }

  #body(path: string, query: URLSearchParams): unknown {
    const { symbols, bars, alerts, positions } = this.data;
    const asked = (name: string, value: string): boolean => (query.get(name) ?? value) === value;
    const page = (items: readonly unknown[]): unknown => ({
      items: items.slice(0, Number(query.get("limit") ?? 100)),
      next: null,
    });
    if (path === "/")
      return { name: "millrace", links: { sensors: "/sensors", ...(this.market && { symbols: "/symbols" }) } };
    if (path === "/health")
      return { status: "ok", components: { processor: { status: "ok", lag: 3, watermarkLagMs: 1_500 } } };
    if (path === "/sensors" || path === "/sessions") return page([]);
    if (!this.market) return null;
    if (path === "/symbols") return page(symbols);
    if (path === "/alerts") return page(alerts.filter(({ symbol }) => asked("symbol", symbol)));
    if (path === "/positions")
      return page(positions.filter(({ symbol, account }) => asked("symbol", symbol) && asked("account", account)));
    const symbol = /^\/symbols\/([^/]+)\/bars$/.exec(path)?.[1];
    if (symbol === undefined) return null;
    const of = bars.filter((bar) => bar.symbol === decodeURIComponent(symbol));
    if (of.length === 0) return null;
    return page(of.filter(({ operator }) => asked("operator", operator)).toReversed());
  }
}
