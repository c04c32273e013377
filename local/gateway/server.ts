import { createServer, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { getRequestListener } from "@hono/node-server";
import type { Logger } from "../../adapters/log.ts";
import type { Metrics } from "../../adapters/metrics.ts";
import {
  PROBLEM_CONTENT_TYPE,
  PROBLEM_TYPE_PREFIX,
  problems,
  type FunctionName,
  type RestRoute,
  type WebSocketRoute,
} from "../../domain/api.ts";
import type { Milliseconds } from "../../domain/time.ts";
import { listen } from "../aws/listen.ts";
import type { Invoke } from "../lambda/invoke.ts";
import { ConnectionHub, webSocketLimits } from "./connections.ts";
import { connectionOf, manageConnection } from "./management.ts";
import { restApp } from "./rest.ts";
import { WebSocketApi } from "./websocket.ts";

export interface GatewayOptions {
  readonly port: number;
  readonly restRoutes: readonly RestRoute[];
  readonly restFallback: FunctionName;
  readonly webSocketRoutes: readonly WebSocketRoute[];
  readonly functions: ReadonlyMap<FunctionName, Invoke>;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Ports of the programs whose metrics `GET /metrics` has. @default none */
  readonly metricsPorts?: readonly number[];
  /**
   * Maximum idle time and life of a connection.
   *
   * @default API Gateway's: 10 minutes, 2 hours
   */
  readonly limits?: { readonly idleMs: Milliseconds; readonly lifeMs: Milliseconds };
  /**
   * Time between two checks of the limits.
   *
   * @default 1 s
   */
  readonly sweepMs?: Milliseconds;
}

export interface Gateway {
  readonly port: number;
  /** Closes all connections, and waits for their `$disconnect`. */
  close(): Promise<void>;
}

const CLOSE_LIMIT_MS = 3_000;

/**
 * Starts the REST API, the WebSocket API and @connections on one port.
 *
 * @throws MillraceError `port-taken`
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const hub = new ConnectionHub(options.limits ?? webSocketLimits);
  const rest = getRequestListener(
    restApp({ ...options, routes: options.restRoutes, fallback: options.restFallback }).fetch,
  );
  const webSocket = new WebSocketApi({ ...options, routes: options.webSocketRoutes, hub });
  const server = createServer((request, response) => {
    const connectionId = connectionOf(request.url ?? "/");
    if (connectionId === null) void rest(request, response);
    else void manageConnection(hub, connectionId, request, response, options.metrics, options.log);
  });
  server.on("clientError", refuseUnreadable);
  server.on("upgrade", (request, socket, head) => void webSocket.upgrade(request, socket, head));
  // Clients reuse connections. A short timeout could close one while a post is on its way.
  server.keepAliveTimeout = 65_000;
  const port = await listen(server, options.port);
  const sweeper = setInterval(() => {
    hub.sweep(Date.now());
    options.metrics.set("gateway.connections", hub.size);
  }, options.sweepMs ?? 1_000);
  return {
    port,
    close: async () => {
      clearInterval(sweeper);
      const closed = new Promise((resolve) => server.close(resolve));
      await webSocket.close(CLOSE_LIMIT_MS);
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Answers a request that is not HTTP, or whose header is larger than Node takes, and closes its connection. */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const code = error.code === "HPE_HEADER_OVERFLOW" ? "headers-too-large" : "invalid-request";
  const { status, title } = problems[code];
  const body = JSON.stringify({ type: PROBLEM_TYPE_PREFIX + code, title, status, detail: error.message });
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `content-type: ${PROBLEM_CONTENT_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}
