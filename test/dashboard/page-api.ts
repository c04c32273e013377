import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import type { z } from "zod";
import {
  ACTIVE_SENSORS,
  activityStretch,
  type ActivityStretch,
  alert,
  type AccountPosition,
  bar,
  deadLetter,
  type DeadLetter,
  listedDeadLetter,
  type MarketSymbol,
  marketSymbol,
  position,
  queries,
  sensor,
  type Sensor,
  type SensorFeatures,
  sensorWindow,
  type SensorWindow,
  session,
  type Session,
  webSocketRequest,
  type WebSocketRequest,
} from "../../domain/api.ts";
import type { Rejected } from "../../domain/live-messages.ts";
import type { AlertRecord, BarRecord, EnrichedRecord, InferenceRecord, WindowRecord } from "../../domain/records.ts";
import type { AlarmStatus } from "../../local/alarms.ts";
import type { GraphsStatus } from "../../local/graphs.ts";
import type { Answer } from "../../ops/answer.ts";

/** What the API has, for tests to change between two looks of the page. */
export interface PageData {
  symbols: MarketSymbol[];
  bars: BarRecord[];
  alerts: AlertRecord[];
  positions: AccountPosition[];
  sensors: Sensor[];
  sessions: Session[];
  /** Newest first. */
  windows: SensorWindow[];
  /** Newest first. */
  activity: ActivityStretch[];
  features: SensorFeatures[];
  /** Newest first. */
  deadLetters: DeadLetter[];
}

/** A message of the live feed, of a symbol or of a sensor. */
export type LiveMessage =
  | { readonly type: "trade"; readonly data: EnrichedRecord }
  | { readonly type: "bar"; readonly data: BarRecord }
  | { readonly type: "alert"; readonly data: AlertRecord }
  | { readonly type: "dropped"; readonly data: { readonly symbol: string; readonly trades: number } }
  | { readonly type: "window"; readonly data: WindowRecord }
  | { readonly type: "inference"; readonly data: InferenceRecord }
  | { readonly type: "rejected"; readonly data: Rejected }
  | { readonly type: "samples"; readonly data: { readonly sensorId: string } & Readonly<Record<string, unknown>> };

/** What the page uses of the REST and WebSocket API, with data that a test gives. */
export class PageApi {
  readonly data: PageData = {
    symbols: [],
    bars: [],
    alerts: [],
    positions: [],
    sensors: [],
    sessions: [],
    windows: [],
    activity: [],
    features: [],
    deadLetters: [],
  };
  /** What the page's own server gets from `npm start`. */
  readonly operations: { alarms: readonly AlarmStatus[]; graphs: GraphsStatus } = {
    alarms: [],
    graphs: { stepMs: 5_000, atMs: 0, dashboards: [] },
  };
  /** Answers to the names of stories, of `npm start` too. Each is given when its test says so. */
  readonly stories = new Map<string, Promise<Answer>>();
  /** Answers of the operators' API of `npm start`, by what follows `/ops/`. What it has not does not answer. */
  readonly ops = new Map<string, Answer>();
  /** What was posted to it. */
  readonly posted: { readonly path: string; readonly key: string; readonly body: unknown }[] = [];
  /** Paths of the API that were asked for, with their parameters. */
  readonly asked: string[] = [];
  /** What the newest connection is subscribed to. */
  readonly subscriptions = new Set<string>();
  /** What it resumes behind, by what it has subscribed to. */
  readonly resumed = new Map<string, NonNullable<WebSocketRequest["resume"]>>();
  /** Whether the environment runs the market. */
  market = true;
  /**
   * Whether the API takes an `Authorization` header, for all but `/` and `/health`; null where it is open. Where it is
   * not, a ticket is what opens a WebSocket.
   */
  authorize: ((header: string | undefined) => Promise<boolean>) | null = null;
  /** Requests that the API would refuse, with what is wrong with them. */
  readonly refused: string[] = [];
  port = 0;
  #server: Server | null = null;
  #webSockets: WebSocketServer | null = null;
  #connections = new Set<Socket>();

  /** Listens, the second time on the port of the first. */
  async start(): Promise<void> {
    this.#server = createServer((request, response) => void this.#answer(request, response));
    this.#server.on("connection", (socket: Socket) => {
      this.#connections.add(socket);
      socket.on("close", () => this.#connections.delete(socket));
    });
    this.#webSockets = new WebSocketServer({
      server: this.#server,
      verifyClient: ({ req }: { req: IncomingMessage }) => this.authorize === null || req.url === "/?ticket=T1",
    });
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

  /** Sends those messages that the connection is subscribed to; several as an array. */
  send(...messages: readonly LiveMessage[]): void {
    const wanted = messages.filter(({ data }) => {
      const subject: { readonly symbol?: string; readonly sensorId?: string } = data;
      return this.subscriptions.has(subject.symbol ?? subject.sensorId ?? "");
    });
    const text = JSON.stringify(wanted.length === 1 ? wanted[0] : wanted);
    if (wanted.length > 0) for (const client of this.#webSockets?.clients ?? []) client.send(text);
  }

  #connect(socket: WebSocket): void {
    this.subscriptions.clear();
    this.resumed.clear();
    socket.on("message", (bytes: Buffer) => {
      const { action, resume, ...subject } = webSocketRequest.parse(JSON.parse(bytes.toString("utf8")));
      const name = subject.symbol ?? subject.sensorId;
      if (name === undefined) throw new Error(`a subscription to nothing: ${bytes.toString("utf8")}`);
      if (action === "subscribe") this.subscriptions.add(name);
      else this.subscriptions.delete(name);
      if (resume) this.resumed.set(name, resume);
      socket.send(JSON.stringify({ type: `${action}d`, ...subject }));
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://api");
    if (pathname === "/trace") {
      void this.stories.get(searchParams.get("name") ?? "")?.then(({ status, body }) => {
        response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
      });
      return;
    }
    if (pathname.startsWith("/ops/")) {
      void this.#answerOperator(request, response);
      return;
    }
    this.asked.push(request.url ?? "");
    const headers = { "access-control-allow-origin": "*", "access-control-allow-headers": "authorization" };
    const [status, body] =
      request.method === "OPTIONS"
        ? [204, null]
        : (await this.#refuses(pathname, request.headers.authorization))
          ? [401, { type: "about:blank", status: 401 }]
          : [200, this.#body(pathname, searchParams)];
    if (status === 200 && body === null)
      response
        .writeHead(404, { ...headers, "content-type": "application/problem+json" })
        .end(JSON.stringify({ type: "urn:millrace:problem:not-found", title: "none", status: 404 }));
    else
      response
        .writeHead(status, { ...headers, "content-type": "application/json" })
        .end(status === 204 ? "" : JSON.stringify(body));
  }

  async #answerOperator(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? "").slice("/ops/".length);
    if (request.method === "POST") {
      const chunks: Buffer[] = [];
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      const body: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
      this.posted.push({ path, key: String(request.headers["idempotency-key"]), body });
    }
    const answer = this.ops.get(`${request.method === "POST" ? "POST " : ""}${path}`);
    if (!answer) return;
    response.writeHead(answer.status, { "content-type": "application/json" }).end(JSON.stringify(answer.body));
  }

  async #refuses(path: string, authorization: string | undefined): Promise<boolean> {
    return this.authorize !== null && path !== "/" && path !== "/health" && !(await this.authorize(authorization));
  }

  #body(path: string, parameters: URLSearchParams): unknown {
    const { symbols, bars, alerts, positions, sensors, sessions, deadLetters } = this.data;
    const { windows, activity, features } = this.data;
    const list = <T extends object>(
      query: z.ZodType,
      item: z.ZodType,
      all: readonly T[],
      ...filters: (keyof T & string)[]
    ): unknown => {
      const read = query.safeParse(Object.fromEntries(parameters));
      if (!read.success) this.refused.push(`${path}?${parameters.toString()}: ${read.error.message}`);
      const found = all.filter((one) => filters.every((name) => (parameters.get(name) ?? one[name]) === one[name]));
      const from = Number(parameters.get("cursor") ?? 0);
      const to = from + Number(parameters.get("limit") ?? (parameters.has("active") ? ACTIVE_SENSORS : 100));
      const items = found.slice(from, to).map((one) => item.parse(one));
      return { items, next: to < found.length ? String(to) : null };
    };
    if (path === "/")
      return { name: "millrace", links: { sensors: "/sensors", ...(this.market && { symbols: "/symbols" }) } };
    if (path === "/health")
      return {
        status: "ok",
        components: {
          processor: { status: "ok", lag: 3, watermarkLagMs: 1_500 },
          "market-processor": { status: "ok", lag: 7 },
        },
      };
    if (path === "/alarms") return this.operations.alarms;
    if (path === "/graphs") return this.operations.graphs;
    if (path === "/tickets") return { ticket: "T1" };
    if (path === "/sensors") {
      const found = sensors.filter(({ sensorId }) => sensorId.includes(parameters.get("q") ?? ""));
      const byHearing = found.toSorted((a, b) => b.lastSeen - a.lastSeen);
      return list(queries.sensors, sensor, parameters.has("active") ? byHearing : found);
    }
    if (path === "/dead-letters") return list(queries.deadLetters, listedDeadLetter, deadLetters, "sensorId", "code");
    const letterId = /^\/dead-letters\/([^/]+)$/.exec(path)?.[1];
    if (letterId !== undefined) {
      const found = deadLetters.find(({ id }) => id === decodeURIComponent(letterId));
      return found ? deadLetter.parse(found) : null;
    }
    const [, sensorId, part] = /^\/sensors\/([^/]+)(?:\/(\w+))?$/.exec(path) ?? [];
    if (sensorId !== undefined) {
      const found = sensors.find((one) => one.sensorId === sensorId);
      const [from, to] = [Number(parameters.get("from") ?? 0), Number(parameters.get("to") ?? Infinity)];
      const inTime = (start: number, end: number): boolean => start < to && end > from;
      if (part === undefined || !found) return found ? sensor.parse(found) : null;
      if (part === "features") return features.find((one) => one.sensorId === sensorId) ?? null;
      if (part === "activity") {
        const of = activity.filter((one) => one.sensorId === sensorId && inTime(one.start, one.end));
        return list(queries.activity, activityStretch, of);
      }
      const of = windows.filter((one) => one.sensorId === sensorId && inTime(one.window.start, one.window.end));
      return list(queries.windows, sensorWindow, of);
    }
    const sessionId = /^\/sessions\/([^/]+)$/.exec(path)?.[1];
    if (sessionId !== undefined) return sessions.find((one) => one.sessionId === decodeURIComponent(sessionId)) ?? null;
    if (path === "/sessions") {
      const [from, to] = [Number(parameters.get("from") ?? 0), Number(parameters.get("to") ?? Infinity)];
      const of = sessions.filter(({ start, end }) => start < to && (end ?? Infinity) >= from);
      return list(queries.sessions, session, of, "sensorId", "status");
    }
    if (!this.market) return null;
    if (path === "/symbols") return list(queries.symbols, marketSymbol, symbols);
    if (path === "/alerts") return list(queries.alerts, alert, alerts, "symbol");
    if (path === "/positions") return list(queries.positions, position, positions, "symbol", "account");
    const symbol = /^\/symbols\/([^/]+)\/bars$/.exec(path)?.[1];
    if (symbol === undefined) return null;
    const of = bars.filter((one) => one.symbol === decodeURIComponent(symbol));
    return of.length === 0 ? null : list(queries.bars, bar, of.toReversed(), "operator");
  }
}
