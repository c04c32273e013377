import type { OfPipeline } from "./pipelines.ts";

/**
 * The Lambda functions: `lambda/<name>/handler.ts` exports `handler`; `program` names its settings in
 * `config/settings.ts`. REST functions take API Gateway REST proxy events (payload 1.0), WebSocket functions API
 * Gateway WebSocket events, `produce-trades` SQS events, the others MSK events (see `event-source-mappings.ts`).
 */
export const functions = {
  connect: { program: "websocket", timeoutSeconds: 10, memoryMb: 256 },
  disconnect: { program: "websocket", timeoutSeconds: 10, memoryMb: 256 },
  subscribe: { program: "websocket", timeoutSeconds: 10, memoryMb: 256 },
  "read-root": { program: "rest", timeoutSeconds: 10, memoryMb: 256 },
  "read-health": { program: "rest", timeoutSeconds: 10, memoryMb: 256 },
  "read-sessions": { program: "rest", timeoutSeconds: 10, memoryMb: 512 },
  "read-sensors": { program: "rest", timeoutSeconds: 10, memoryMb: 512 },
  "read-openapi": { program: "rest", timeoutSeconds: 10, memoryMb: 256 },
  "store-sessions": { program: "store", timeoutSeconds: 60, memoryMb: 512 },
  "store-windows": { program: "store", timeoutSeconds: 60, memoryMb: 512 },
  "read-dead-letters": { program: "rest", timeoutSeconds: 10, memoryMb: 512 },
  "store-dead-letters": { program: "store", timeoutSeconds: 60, memoryMb: 512 },
  "read-market": { program: "rest", timeoutSeconds: 10, memoryMb: 512, pipeline: "market" },
  "store-market": { program: "store", timeoutSeconds: 60, memoryMb: 512, pipeline: "market" },
  "write-lake": { program: "writeLake", timeoutSeconds: 120, memoryMb: 1024 },
  "produce-trades": { program: "produceTrades", timeoutSeconds: 30, memoryMb: 512 },
  "write-features": { program: "writeFeatures", timeoutSeconds: 60, memoryMb: 512 },
  "audit-output": { program: "auditOutput", timeoutSeconds: 60, memoryMb: 512 },
  "read-log": { program: "operators", timeoutSeconds: 15, memoryMb: 512 },
  "read-models": { program: "operators", timeoutSeconds: 15, memoryMb: 512 },
  "read-components": { program: "readComponents", timeoutSeconds: 15, memoryMb: 256 },
  "send-letter": { program: "operators", timeoutSeconds: 29, memoryMb: 512 },
  "start-command": { program: "startCommand", timeoutSeconds: 15, memoryMb: 256 },
} as const satisfies Record<
  string,
  { readonly program: string; readonly timeoutSeconds: number; readonly memoryMb: number } & OfPipeline
>;
export type FunctionName = keyof typeof functions;

export interface RestRoute extends OfPipeline {
  /** The public API reads. What changes something is the operators' API. */
  readonly method: "GET";
  /** With `{name}` for path parameters, as API Gateway writes them. */
  readonly path: string;
  readonly function: FunctionName;
  /** `jwt`: needs a token wherever the environment's config says so. */
  readonly auth: "open" | "jwt";
}

/**
 * The REST API. A path's function answers HEAD as GET, OPTIONS, and 405 to other methods; other paths go to
 * `restFallback`, which answers 404.
 */
export const restRoutes: readonly RestRoute[] = [
  { method: "GET", path: "/", function: "read-root", auth: "open" },
  { method: "GET", path: "/health", function: "read-health", auth: "open" },
  { method: "GET", path: "/sessions", function: "read-sessions", auth: "jwt" },
  { method: "GET", path: "/sessions/{sessionId}", function: "read-sessions", auth: "jwt" },
  { method: "GET", path: "/sensors", function: "read-sensors", auth: "jwt" },
  { method: "GET", path: "/sensors/{sensorId}", function: "read-sensors", auth: "jwt" },
  { method: "GET", path: "/sensors/{sensorId}/windows", function: "read-sensors", auth: "jwt" },
  { method: "GET", path: "/sensors/{sensorId}/activity", function: "read-sensors", auth: "jwt" },
  { method: "GET", path: "/sensors/{sensorId}/features", function: "read-sensors", auth: "jwt" },
  { method: "GET", path: "/dead-letters", function: "read-dead-letters", auth: "jwt" },
  { method: "GET", path: "/dead-letters/{letterId}", function: "read-dead-letters", auth: "jwt" },
  { method: "GET", path: "/symbols", function: "read-market", auth: "jwt", pipeline: "market" },
  { method: "GET", path: "/symbols/{symbol}/bars", function: "read-market", auth: "jwt", pipeline: "market" },
  { method: "GET", path: "/symbols/{symbol}/features", function: "read-market", auth: "jwt", pipeline: "market" },
  { method: "GET", path: "/positions", function: "read-market", auth: "jwt", pipeline: "market" },
  { method: "GET", path: "/alerts", function: "read-market", auth: "jwt", pipeline: "market" },
  { method: "GET", path: "/openapi.json", function: "read-openapi", auth: "jwt" },
  { method: "GET", path: "/docs", function: "read-openapi", auth: "jwt" },
];
export const restFallback: FunctionName = "read-root";

/** Gives a ticket for a WebSocket connection, where the platform runs on AWS: see `lambda/issue-ticket`. */
export const ticketRoute = { method: "POST", path: "/tickets" } as const;

/** A route of the operators' API, which is private on AWS and part of `npm start` locally. */
export interface OperatorRoute {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly function: FunctionName;
}

export const operatorRoutes: readonly OperatorRoute[] = [
  { method: "GET", path: "/metrics", function: "read-components" },
  { method: "GET", path: "/ops/openapi.json", function: "read-components" },
  { method: "GET", path: "/ops/components", function: "read-components" },
  { method: "GET", path: "/ops/topics", function: "read-log" },
  { method: "GET", path: "/ops/groups", function: "read-log" },
  { method: "GET", path: "/ops/records", function: "read-log" },
  { method: "GET", path: "/ops/models", function: "read-models" },
  { method: "POST", path: "/ops/models", function: "start-command" },
  { method: "POST", path: "/ops/dead-letters", function: "send-letter" },
];

/** The methods of a path's routes, as `Allow` and the answer to a preflight list them. */
export function methodsOf(routes: readonly { readonly method: "GET" | "POST" }[]): string[] {
  return [...routes.flatMap(({ method }) => (method === "GET" ? ["GET", "HEAD"] : [method])), "OPTIONS"];
}

export interface WebSocketRoute {
  readonly routeKey: string;
  readonly function: FunctionName;
  readonly auth: "open" | "jwt";
  /** Whether the function's response body is sent back to the client (a route response in API Gateway). */
  readonly responds: boolean;
}

/** Picks a message's route: API Gateway's route selection expression. */
export const ROUTE_SELECTION = "$request.body.action";

export const webSocketRoutes: readonly WebSocketRoute[] = [
  { routeKey: "$connect", function: "connect", auth: "jwt", responds: false },
  { routeKey: "$disconnect", function: "disconnect", auth: "open", responds: false },
  { routeKey: "subscribe", function: "subscribe", auth: "open", responds: true },
  { routeKey: "unsubscribe", function: "subscribe", auth: "open", responds: true },
  { routeKey: "$default", function: "subscribe", auth: "open", responds: true },
];
