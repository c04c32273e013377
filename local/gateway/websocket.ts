import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer, type WebSocket } from "ws";
import type { Logger } from "../../adapters/log.ts";
import type { FunctionName, WebSocketRoute } from "../../domain/api.ts";
import type { Invoke } from "../lambda/invoke.ts";
import { callerOf } from "./caller.ts";
import { webSocketLimits, type ConnectionHub } from "./connections.ts";
import { connectEvent, disconnectEvent, messageEvent, selectRoute, type ConnectionContext } from "./events.ts";

export interface WebSocketOptions {
  readonly routes: readonly WebSocketRoute[];
  readonly functions: ReadonlyMap<FunctionName, Invoke>;
  readonly hub: ConnectionHub;
  readonly log: Logger;
}

interface ProxyResult {
  readonly statusCode?: number;
  readonly body?: string;
}

/**
 * The WebSocket API. `$connect` accepts or refuses a handshake, messages go to the route that they select, and
 * `$disconnect` follows the end of a connection.
 */
export class WebSocketApi {
  readonly #options: WebSocketOptions;
  readonly #routes: ReadonlyMap<string, WebSocketRoute>;
  readonly #server = new WebSocketServer({
    noServer: true,
    maxPayload: webSocketLimits.messageBytes,
    perMessageDeflate: false,
  });
  /** `$disconnect` invocations in progress. */
  readonly #ending = new Set<Promise<void>>();

  constructor(options: WebSocketOptions) {
    this.#options = options;
    this.#routes = new Map(options.routes.map((route) => [route.routeKey, route]));
  }

  /** Handles an upgrade request; never rejects. */
  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { hub, log } = this.#options;
    const path = request.url?.split("?")[0] ?? "/";
    if (path !== "/") {
      refuse(socket, 404, `there is no WebSocket at ${path}: connect to / with sensorId, session or symbol`);
      return;
    }
    const nowMs = Date.now();
    const connection = hub.register({
      connectedAtMs: nowMs,
      host: request.headers.host ?? "localhost",
      sourceIp: request.socket.remoteAddress ?? "",
      userAgent: request.headers["user-agent"],
      caller: callerOf(request.headers),
    });
    let clientLeft = false;
    const onLeave = (): void => {
      clientLeft = true;
    };
    socket.on("error", onLeave).on("close", onLeave);
    const result = await this.#invoke(
      "$connect",
      connectEvent(connection, {
        method: "GET",
        url: request.url ?? "/",
        headers: request.headers,
        sourceIp: connection.sourceIp,
        nowMs,
      }),
    );
    const status = result?.statusCode ?? 500;
    if (status < 200 || status > 299) {
      hub.remove(connection.connectionId);
      refuse(socket, status, result?.body ?? "");
      return;
    }
    const end = (code: number, reason: string): void => {
      hub.remove(connection.connectionId);
      const ending = this.#invoke("$disconnect", disconnectEvent(connection, code, reason, Date.now())).then(() => {
        this.#ending.delete(ending);
      });
      this.#ending.add(ending);
    };
    if (clientLeft) {
      end(1006, "the client left during the handshake");
      return;
    }
    socket.off("error", onLeave).off("close", onLeave);
    let opened = false;
    // ws answers a malformed handshake itself, without calling back.
    socket.once("close", () => {
      if (!opened) end(1006, "no WebSocket handshake");
    });
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      opened = true;
      this.#handleMessagesInOrder(connection, webSocket);
      webSocket.on("ping", () => hub.touch(connection.connectionId, Date.now()));
      webSocket.on("pong", () => hub.touch(connection.connectionId, Date.now()));
      webSocket.on("error", (error) =>
        log.debug({ err: error, connectionId: connection.connectionId }, "a client broke the protocol or its limits"),
      );
      webSocket.on("close", (code, reason) => end(code, reason.toString()));
      hub.open(connection.connectionId, webSocket);
    });
  }

  /** Pauses the socket while a message is handled. A few more may have been read by then, so they queue. */
  #handleMessagesInOrder(connection: ConnectionContext, webSocket: WebSocket): void {
    let queue = Promise.resolve();
    let waiting = 0;
    webSocket.on("message", (data, isBinary) => {
      webSocket.pause();
      waiting++;
      queue = queue.then(async () => {
        await this.#message(connection, webSocket, data as Buffer, isBinary);
        if (--waiting === 0) webSocket.resume();
      });
    });
  }

  /** Closes all connections and waits for their `$disconnect`. */
  async close(limitMs: number): Promise<void> {
    this.#options.hub.closeAll();
    const deadline = performance.now() + limitMs;
    while (this.#options.hub.size > 0 && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 20));
    for (const client of this.#server.clients) client.terminate();
    await Promise.all(this.#ending);
  }

  /** Invokes the message's route; never rejects. */
  async #message(connection: ConnectionContext, webSocket: WebSocket, data: Buffer, isBinary: boolean): Promise<void> {
    const nowMs = Date.now();
    this.#options.hub.touch(connection.connectionId, nowMs);
    const routeKey = isBinary ? "$default" : selectRoute(new Set(this.#routes.keys()), data.toString("utf8"));
    const event = messageEvent(connection, routeKey, data, isBinary, nowMs);
    const answer = (body: string): void => {
      if (webSocket.readyState === webSocket.OPEN) webSocket.send(body);
    };
    const { connectionId } = connection;
    const { requestId } = event.requestContext;
    if (!this.#routes.has(routeKey)) answer(JSON.stringify({ message: "Forbidden", connectionId, requestId }));
    else {
      const result = await this.#invoke(routeKey, event);
      if (result === null) answer(JSON.stringify({ message: "Internal server error", connectionId, requestId }));
      else if (this.#routes.get(routeKey)?.responds && result.body) answer(result.body);
    }
  }

  /** The function's result; null when it failed or does not exist. */
  async #invoke(routeKey: string, event: unknown): Promise<ProxyResult | null> {
    const route = this.#routes.get(routeKey);
    const invoke = route && this.#options.functions.get(route.function);
    if (!invoke) return routeKey === "$connect" ? { statusCode: 200 } : null;
    try {
      return ((await invoke(event)) ?? {}) as ProxyResult;
    } catch (error) {
      this.#options.log.error({ err: error, function: route.function, routeKey }, "a function failed");
      return null;
    }
  }
}

function refuse(socket: Duplex, status: number, body: string): void {
  const bytes = Buffer.from(body);
  const head = [
    `HTTP/1.1 ${status} Refused`,
    "content-type: text/plain; charset=utf-8",
    `content-length: ${bytes.length}`,
    "connection: close",
  ];
  socket.on("error", () => {});
  socket.end(Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`), bytes]));
}
