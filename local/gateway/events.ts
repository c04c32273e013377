import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { APIGatewayProxyEvent, APIGatewayProxyWebsocketEventV2 } from "aws-lambda";
import type { RestRoute } from "../../domain/api.ts";
import type { CallerContext } from "../../domain/caller.ts";
import { callerOf } from "./caller.ts";

const ACCOUNT = "000000000000";
const STAGE = "local";

/** A request to the REST API or the WebSocket API. */
export interface HttpRequest {
  readonly method: string;
  /** Path and query, as received. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly sourceIp: string;
  readonly nowMs: number;
}

export interface RouteMatch {
  readonly route: RestRoute | null;
  readonly resource: string;
  readonly pathParameters: Record<string, string> | null;
}

/**
 * Finds the route of a request. Like API Gateway, it prefers routes with fewer parameters. A request without a route
 * matches `{proxy+}`.
 */
export function matchRoute(routes: readonly RestRoute[], method: string, path: string): RouteMatch {
  const received = path.replace(/([^/])\/$/, "$1").split("/");
  const routed = method === "HEAD" ? "GET" : method;
  const parameters = (template: string): number => template.split("{").length;
  for (const route of [...routes].sort((a, b) => parameters(a.path) - parameters(b.path))) {
    const wanted = route.path.split("/");
    if ((route.method !== routed && method !== "OPTIONS") || wanted.length !== received.length) continue;
    if (!wanted.every((part, i) => (part.startsWith("{") ? received[i] !== "" : part === received[i]))) continue;
    const named = wanted.flatMap((part, i) =>
      part.startsWith("{") ? [[part.slice(1, -1), received[i] as string] as const] : [],
    );
    return { route, resource: route.path, pathParameters: named.length > 0 ? Object.fromEntries(named) : null };
  }
  return { route: null, resource: "/{proxy+}", pathParameters: { proxy: path.slice(1) } };
}

/** The event of a REST proxy integration (payload 1.0). */
export function restEvent(request: HttpRequest, match: RouteMatch, body: Buffer): APIGatewayProxyEvent {
  const url = urlOf(request.url);
  const text =
    body.length === 0
      ? null
      : isText(request.headers["content-type"])
        ? body.toString("utf8")
        : body.toString("base64");
  return {
    resource: match.resource,
    path: url.pathname,
    httpMethod: request.method,
    ...headersOf(request.headers),
    ...queryOf(url.searchParams),
    pathParameters: match.pathParameters,
    stageVariables: null,
    requestContext: {
      resourceId: "local",
      resourcePath: match.resource,
      httpMethod: request.method,
      extendedRequestId: randomUUID(),
      requestTime: requestTime(request.nowMs),
      requestTimeEpoch: request.nowMs,
      path: url.pathname,
      accountId: ACCOUNT,
      protocol: "HTTP/1.1",
      stage: STAGE,
      domainPrefix: "local",
      domainName: request.headers.host ?? "localhost",
      apiId: "local",
      requestId: randomUUID(),
      authorizer: callerOf(request.headers),
      identity: {
        accessKey: null,
        accountId: null,
        apiKey: null,
        apiKeyId: null,
        caller: null,
        clientCert: null,
        cognitoAuthenticationProvider: null,
        cognitoAuthenticationType: null,
        cognitoIdentityId: null,
        cognitoIdentityPoolId: null,
        principalOrgId: null,
        sourceIp: request.sourceIp,
        user: null,
        userAgent: request.headers["user-agent"] ?? null,
        userArn: null,
      },
    },
    body: text,
    isBase64Encoded: text !== null && !isText(request.headers["content-type"]),
  };
}

/** What all events of a WebSocket connection have in common. */
export interface ConnectionContext {
  readonly connectionId: string;
  readonly connectedAtMs: number;
  readonly host: string;
  readonly sourceIp: string;
  readonly userAgent: string | undefined;
  readonly caller: CallerContext;
}

type WebSocketContext = APIGatewayProxyWebsocketEventV2["requestContext"] & {
  readonly authorizer: CallerContext;
  readonly identity: { readonly sourceIp: string; readonly userAgent?: string };
  readonly disconnectStatusCode?: number;
  readonly disconnectReason?: string;
};

function webSocketContext(
  connection: ConnectionContext,
  eventType: "CONNECT" | "MESSAGE" | "DISCONNECT",
  routeKey: string,
  nowMs: number,
): WebSocketContext {
  return {
    routeKey,
    eventType,
    messageDirection: "IN",
    stage: STAGE,
    connectedAt: connection.connectedAtMs,
    requestTime: requestTime(nowMs),
    requestTimeEpoch: nowMs,
    extendedRequestId: randomUUID(),
    requestId: randomUUID(),
    domainName: connection.host,
    apiId: "local",
    connectionId: connection.connectionId,
    authorizer: connection.caller,
    identity: {
      sourceIp: connection.sourceIp,
      ...(connection.userAgent === undefined ? {} : { userAgent: connection.userAgent }),
    },
  } as WebSocketContext;
}

/** `$connect`: the only event with headers and query string. */
export function connectEvent(connection: ConnectionContext, request: HttpRequest): unknown {
  return {
    ...headersOf(request.headers),
    ...queryOf(urlOf(request.url).searchParams),
    requestContext: webSocketContext(connection, "CONNECT", "$connect", request.nowMs),
    isBase64Encoded: false,
  };
}

export function messageEvent(
  connection: ConnectionContext,
  routeKey: string,
  body: Buffer,
  isBinary: boolean,
  nowMs: number,
): {
  readonly requestContext: WebSocketContext & { readonly messageId: string };
  readonly body: string;
  readonly isBase64Encoded: boolean;
} {
  return {
    requestContext: { ...webSocketContext(connection, "MESSAGE", routeKey, nowMs), messageId: randomUUID() },
    body: body.toString(isBinary ? "base64" : "utf8"),
    isBase64Encoded: isBinary,
  };
}

export function disconnectEvent(connection: ConnectionContext, code: number, reason: string, nowMs: number): unknown {
  return {
    headers: { Host: connection.host },
    multiValueHeaders: { Host: [connection.host] },
    requestContext: {
      ...webSocketContext(connection, "DISCONNECT", "$disconnect", nowMs),
      disconnectStatusCode: code,
      disconnectReason: reason,
    },
    isBase64Encoded: false,
  };
}

/** Selects a message's route by `$request.body.action`. A message without a known action goes to `$default`. */
export function selectRoute(routeKeys: ReadonlySet<string>, body: string): string {
  try {
    const action = (JSON.parse(body) as { action?: unknown } | null)?.action;
    if (typeof action === "string" && !action.startsWith("$") && routeKeys.has(action)) return action;
  } catch {
    // Not JSON, so it has no action.
  }
  return "$default";
}

function headersOf(received: IncomingHttpHeaders): Pick<APIGatewayProxyEvent, "headers" | "multiValueHeaders"> {
  const entries = Object.entries(received).filter(
    (entry): entry is [string, string | string[]] => entry[1] !== undefined,
  );
  return {
    headers: Object.fromEntries(entries.map(([name, value]) => [name, [value].flat().at(-1) as string])),
    multiValueHeaders: Object.fromEntries(entries.map(([name, value]) => [name, [value].flat()])),
  };
}

function queryOf(
  query: URLSearchParams,
): Pick<APIGatewayProxyEvent, "queryStringParameters" | "multiValueQueryStringParameters"> {
  if (query.size === 0) return { queryStringParameters: null, multiValueQueryStringParameters: null };
  const names = [...new Set(query.keys())];
  return {
    queryStringParameters: Object.fromEntries(names.map((name) => [name, query.getAll(name).at(-1) as string])),
    multiValueQueryStringParameters: Object.fromEntries(names.map((name) => [name, query.getAll(name)])),
  };
}

const isText = (contentType: string | undefined): boolean =>
  contentType === undefined || /^(text\/|application\/(json|[\w.-]+\+json|x-www-form-urlencoded))/.test(contentType);

/** A time in Common Log Format, such as 09/Apr/2015:12:34:56 +0000. */
function requestTime(ms: number): string {
  const [, day, month, year, time] = /^\w+, (\d+) (\w+) (\d+) ([\d:]+)/.exec(new Date(ms).toUTCString()) ?? [];
  return `${day}/${month}/${year}:${time} +0000`;
}

/** The URL of a request line, as HTTP has it: a path, which may begin with two slashes, or a whole URL. */
export function urlOf(target: string): URL {
  return new URL(target.startsWith("/") ? `http://local${target}` : target, "http://local");
}
