import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { get, request, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import {
  ApiGatewayManagementApiClient,
  DeleteConnectionCommand,
  GetConnectionCommand,
  PostToConnectionCommand,
} from "@aws-sdk/client-apigatewaymanagementapi";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { APIGatewayProxyEvent } from "aws-lambda";
import { WebSocket } from "ws";
import { createLogger } from "../../adapters/log.ts";
import { Metrics } from "../../adapters/metrics.ts";
import type { FunctionName, RestRoute, WebSocketRoute } from "../../domain/api.ts";
import { startDashboard } from "../../local/gateway/dashboard.ts";
import { startGateway, type Gateway, type GatewayOptions } from "../../local/gateway/server.ts";
import { invoker } from "../../local/lambda/invoke.ts";
import { eventually } from "../support/eventually.ts";

const restRoutes: RestRoute[] = [
  { method: "GET", path: "/sessions/{sessionId}", function: "read-sessions", auth: "open" },
  { method: "GET", path: "/sessions", function: "read-sessions", auth: "open" },
];
const webSocketRoutes: WebSocketRoute[] = [
  { routeKey: "$connect", function: "connect", auth: "open", responds: false },
  { routeKey: "$disconnect", function: "disconnect", auth: "open", responds: false },
  { routeKey: "subscribe", function: "subscribe", auth: "open", responds: true },
  { routeKey: "$default", function: "subscribe", auth: "open", responds: false },
];
type SocketEvent = {
  requestContext: { connectionId: string; routeKey: string; eventType: string; disconnectStatusCode?: number };
  body?: string;
  queryStringParameters?: unknown;
  multiValueQueryStringParameters?: unknown;
};

let gateway: Gateway;
let socketEvents: SocketEvent[];
let restEvents: APIGatewayProxyEvent[];
let onConnect: (event: SocketEvent) => Promise<unknown>;
let sockets: WebSocket[];

async function start(limits?: GatewayOptions["limits"]): Promise<void> {
  const functions: [FunctionName, (event: never) => Promise<unknown>][] = [
    [
      "read-sessions",
      async (event: APIGatewayProxyEvent) => {
        restEvents.push(event);
        const headers = { "x-one": "1", "content-type": "application/json" };
        if (event.httpMethod === "HEAD")
          return { statusCode: 201, headers: { ...headers, "content-length": 5_011 }, body: "" };
        if (event.queryStringParameters?.["fail"]) throw new Error("broken");
        return {
          statusCode: 201,
          headers,
          multiValueHeaders: { "set-cookie": ["a=1", "b=2"] },
          body: event.queryStringParameters?.["long"] ? JSON.stringify({ long: "x".repeat(5_000) }) : "{}",
        };
      },
    ],
    [
      "read-root",
      async (event: APIGatewayProxyEvent) => {
        restEvents.push(event);
        return { statusCode: 404, body: "none" };
      },
    ],
    [
      "connect",
      async (event: SocketEvent) => {
        socketEvents.push(event);
        return onConnect(event);
      },
    ],
    ["disconnect", async (event: SocketEvent) => void socketEvents.push(event)],
    [
      "subscribe",
      async (event: SocketEvent) => {
        socketEvents.push(event);
        if (event.body?.includes("fail")) throw new Error("broken");
        await pause(event.body?.includes("slow") ? 50 : 0);
        return { statusCode: 200, body: `answer to ${event.body}` };
      },
    ],
  ];
  gateway = await startGateway({
    port: 0,
    restRoutes,
    restFallback: "read-root",
    webSocketRoutes,
    functions: new Map(functions.map(([name, handler]) => [name, invoker(name, handler as never, 5_000)])),
    log: createLogger("test", "fatal"),
    metrics: new Metrics(),
    sweepMs: 10,
    ...(limits ? { limits } : {}),
  });
}

beforeEach(() => {
  socketEvents = [];
  restEvents = [];
  sockets = [];
  onConnect = async () => ({ statusCode: 200 });
});
afterEach(async () => {
  for (const socket of sockets) socket.terminate();
  await gateway.close();
});

function connect(path = "/"): WebSocket {
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}${path}`);
  sockets.push(socket);
  socket.on("error", () => {});
  return socket;
}
async function connected(path = "/"): Promise<{ socket: WebSocket; id: string; next: () => Promise<string> }> {
  const socket = connect(path);
  const messages: string[] = [];
  socket.on("message", (data: Buffer) => messages.push(data.toString()));
  await once(socket, "open");
  const id = socketEvents.findLast(({ requestContext }) => requestContext.eventType === "CONNECT")?.requestContext
    .connectionId as string;
  return {
    socket,
    id,
    next: async () => {
      await eventually(() => expect(messages).not.toHaveLength(0));
      return messages.shift() as string;
    },
  };
}
const disconnected = (): Promise<unknown> =>
  eventually(() => socketEvents.map(({ requestContext }) => requestContext.eventType), {
    until: (types) => types.includes("DISCONNECT"),
  });
const client = (path = ""): ApiGatewayManagementApiClient =>
  new ApiGatewayManagementApiClient({
    endpoint: `http://127.0.0.1:${gateway.port}${path}`,
    region: "us-east-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
    maxAttempts: 1,
  });

/** SDK errors reference sockets. A failed comparison of whole errors would print them. */
function outcome(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "sent",
    (error: Error & { $metadata?: { httpStatusCode?: number } }) => `${error.name} ${error.$metadata?.httpStatusCode}`,
  );
}

test("a request becomes a REST proxy event, and the function's result becomes the response", async () => {
  await start();
  const response = await fetch(`http://127.0.0.1:${gateway.port}/sessions/s1%40165?a=1&a=%C3%A9&b=`, {
    headers: { "X-Two": "2", origin: "http://localhost:8080" },
  });
  expect([
    response.status,
    await response.text(),
    response.headers.get("x-one"),
    response.headers.getSetCookie(),
  ]).toEqual([201, "{}", "1", ["a=1", "b=2"]]);
  expect(restEvents).toMatchObject([
    {
      resource: "/sessions/{sessionId}",
      path: "/sessions/s1%40165",
      httpMethod: "GET",
      pathParameters: { sessionId: "s1%40165" },
      queryStringParameters: { a: "é", b: "" },
      multiValueQueryStringParameters: { a: ["1", "é"], b: [""] },
      headers: { "x-two": "2" },
      multiValueHeaders: { "x-two": ["2"] },
      body: null,
      isBase64Encoded: false,
      requestContext: { resourcePath: "/sessions/{sessionId}", identity: { sourceIp: "127.0.0.1" } },
    },
  ]);
  expect((await fetch(`http://127.0.0.1:${gateway.port}/sessions?fail=1`)).status).toBe(502);
});

test("a request without a route goes to the fallback, and HEAD and OPTIONS to the path's function", async () => {
  await start();
  expect((await fetch(`http://127.0.0.1:${gateway.port}/a/b`)).status).toBe(404);
  expect(
    (
      await fetch(`http://127.0.0.1:${gateway.port}/sessions`, {
        method: "POST",
        body: '{"a":1}',
        headers: { "content-type": "application/json" },
      })
    ).status,
  ).toBe(404);
  expect(restEvents).toMatchObject([
    { resource: "/{proxy+}", pathParameters: { proxy: "a/b" } },
    { resource: "/{proxy+}", httpMethod: "POST", body: '{"a":1}' },
  ]);
  expect((await fetch(`http://127.0.0.1:${gateway.port}//`)).status).toBe(404);
  expect(restEvents.at(-1)).toMatchObject({ path: "//" });
  for (const method of ["HEAD", "OPTIONS"]) {
    const { status } = await fetch(`http://127.0.0.1:${gateway.port}/sessions`, { method });
    expect([status, restEvents.at(-1)]).toMatchObject([201, { resource: "/sessions", httpMethod: method }]);
  }
});

// RFC 9110, 8.6: no length but that of the content that a GET would have.
test("a HEAD has the length that the function says, and none for who gets another encoding", async () => {
  await start();
  const lengthFor = async (headers: Record<string, string>): Promise<string | undefined> => {
    const sent = request({ host: "127.0.0.1", port: gateway.port, path: "/sessions", method: "HEAD", headers }).end();
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    response.resume();
    return response.headers["content-length"];
  };
  expect(await lengthFor({})).toBe("5011");
  expect(await lengthFor({ "accept-encoding": "gzip" })).toBeUndefined();
});

test("long answers are compressed for who can read that, and a header that is too large is a problem", async () => {
  await start();
  const url = `http://127.0.0.1:${gateway.port}/sessions`;
  const encodingOf = async (query: string, accepted: string): Promise<string | null> => {
    const response = await fetch(url + query, { headers: { "accept-encoding": accepted } });
    expect(await response.text()).toMatch(/^\{/);
    return response.headers.get("content-encoding");
  };
  expect(await encodingOf("?long=1", "gzip")).toBe("gzip");
  expect(await encodingOf("?long=1", "identity")).toBeNull();
  expect(await encodingOf("", "gzip")).toBeNull();
  const response = await fetch(`${url}?q=${"x".repeat(20_000)}`);
  expect([response.status, response.headers.get("content-type"), await response.json()]).toMatchObject([
    431,
    "application/problem+json",
    { type: "urn:millrace:problem:headers-too-large", status: 431 },
  ]);
});

test("a connection passes through $connect, its routes and $disconnect", async () => {
  await start();
  const { socket, id, next } = await connected("/?sensorId=a&sensorId=b");
  socket.send('{"action":"subscribe","slow":1}');
  socket.send('{"action":"subscribe"}');
  expect([await next(), await next()]).toEqual([
    'answer to {"action":"subscribe","slow":1}',
    'answer to {"action":"subscribe"}',
  ]);
  for (const body of ['{"action":"$connect"}', "no json", '{"action":"subscribe","fail":1}']) socket.send(body);
  expect(JSON.parse(await next())).toEqual({
    message: "Internal server error",
    connectionId: id,
    requestId: expect.any(String),
  });
  socket.close(4_001, "bye");
  await disconnected();
  expect(
    socketEvents.map(({ requestContext, body }) => [
      requestContext.eventType,
      requestContext.routeKey,
      body,
      requestContext.disconnectStatusCode,
    ]),
  ).toEqual([
    ["CONNECT", "$connect", undefined, undefined],
    ["MESSAGE", "subscribe", '{"action":"subscribe","slow":1}', undefined],
    ["MESSAGE", "subscribe", '{"action":"subscribe"}', undefined],
    ["MESSAGE", "$default", '{"action":"$connect"}', undefined],
    ["MESSAGE", "$default", "no json", undefined],
    ["MESSAGE", "subscribe", '{"action":"subscribe","fail":1}', undefined],
    ["DISCONNECT", "$disconnect", undefined, 4_001],
  ]);
  expect(new Set(socketEvents.map(({ requestContext }) => requestContext.connectionId))).toEqual(new Set([id]));
  expect(socketEvents[0]).toMatchObject({
    queryStringParameters: { sensorId: "b" },
    multiValueQueryStringParameters: { sensorId: ["a", "b"] },
  });
});

test("$connect can refuse a handshake", async () => {
  await start();
  onConnect = async () => ({ statusCode: 403, body: "no" });
  const [, response] = (await once(connect(), "unexpected-response")) as [unknown, { statusCode: number }];
  expect(response.statusCode).toBe(403);
  onConnect = async () => {
    throw new Error("broken");
  };
  const [, failed] = (await once(connect(), "unexpected-response")) as [unknown, { statusCode: number }];
  expect(failed.statusCode).toBe(500);
});

test.each(["", "/stage"])("the official @connections client works against the endpoint with path %j", async (path) => {
  await start();
  const { socket, id, next } = await connected();
  await client(path).send(new PostToConnectionCommand({ ConnectionId: id, Data: "grüße" }));
  expect(await next()).toBe("grüße");
  const described = await client(path).send(new GetConnectionCommand({ ConnectionId: id }));
  expect(described.Identity?.SourceIp).toBe("127.0.0.1");
  expect(Math.abs(Number(described.ConnectedAt) - Date.now())).toBeLessThan(60_000);
  const closed = once(socket, "close");
  await client(path).send(new DeleteConnectionCommand({ ConnectionId: id }));
  await closed;
  await disconnected();
  for (const command of [
    new PostToConnectionCommand({ ConnectionId: id, Data: "x" }),
    new GetConnectionCommand({ ConnectionId: id }),
    new DeleteConnectionCommand({ ConnectionId: "bm9uZQ=" }),
  ]) {
    expect(await outcome(client(path).send(command as PostToConnectionCommand))).toBe("GoneException 410");
  }
});

test("a WebSocket at another path, also one that is no URL, is refused", async () => {
  await start();
  for (const path of ["//", "/other?sensorId=s1"]) {
    const [, response] = (await once(connect(path), "unexpected-response")) as [unknown, { statusCode: number }];
    expect(response.statusCode).toBe(404);
  }
});

test("messages up to 128 KB arrive in frames of at most 32 KB; larger ones are refused", async () => {
  await start();
  const { socket, id, next } = await connected();
  const text = "ü".repeat(64 * 1024);
  const frames: number[] = [];
  // Sizes of the received frames. Each frame here has a header of 4 bytes, so the limit is 32,768 + 4.
  (socket as unknown as { _socket: { on(name: "data", listener: (chunk: Buffer) => void): void } })._socket.on(
    "data",
    (chunk) => frames.push(chunk.length),
  );
  await client().send(new PostToConnectionCommand({ ConnectionId: id, Data: text }));
  expect(await next()).toBe(text);
  expect(frames.reduce((a, b) => a + b, 0)).toBe(128 * 1024 + 4 * 4);
  expect(await outcome(client().send(new PostToConnectionCommand({ ConnectionId: id, Data: `${text}!` })))).toBe(
    "PayloadTooLargeException 413",
  );
  const closed = once(socket, "close") as Promise<[number]>;
  socket.send("x".repeat(128 * 1024 + 1));
  expect((await closed)[0]).toBe(1009);
});

test("posts to a client that does not read fail with LimitExceededException; other clients get theirs", async () => {
  await start();
  const slow = await connected();
  const fast = await connected();
  slow.socket.pause();
  const Data = "x".repeat(100_000);
  let last = "sent";
  while (last === "sent")
    last = await outcome(client().send(new PostToConnectionCommand({ ConnectionId: slow.id, Data })));
  expect(last).toBe("LimitExceededException 429");
  await client().send(new PostToConnectionCommand({ ConnectionId: fast.id, Data: "hello" }));
  expect(await fast.next()).toBe("hello");
  slow.socket.resume();
  expect(await slow.next()).toBe(Data);
});

test("messages that are posted while $connect runs wait for the handshake", async () => {
  await start();
  let posted: Promise<unknown> = Promise.resolve();
  onConnect = async ({ requestContext }) => {
    posted = client().send(new PostToConnectionCommand({ ConnectionId: requestContext.connectionId, Data: "early" }));
    await pause(50);
    return { statusCode: 200 };
  };
  const { next } = await connected();
  expect(await next()).toBe("early");
  await posted;
});

test("an idle connection is closed, one that pings is not, and no connection lives too long", async () => {
  await start({ idleMs: 300, lifeMs: 1_500 });
  const silent = await connected();
  const pinging = await connected();
  const timer = setInterval(() => pinging.socket.ping(), 20);
  const ended: string[] = [];
  silent.socket.on("close", (code) => ended.push(`silent ${code}`));
  pinging.socket.on("close", (code) => ended.push(`pinging ${code}`));
  await eventually(() => expect(ended).toHaveLength(2));
  clearInterval(timer);
  expect(ended).toEqual(["silent 1001", "pinging 1001"]);
});

test("the dashboard's files and the API's addresses are served", async () => {
  await start();
  const folder = mkdtempSync(join(tmpdir(), "millrace-dashboard-"));
  writeFileSync(join(folder, "index.html"), "<h1>page</h1>");
  const dashboard = await startDashboard({ port: 0, folder, apiPort: gateway.port, environment: "local" });
  try {
    const page = await fetch(`http://127.0.0.1:${dashboard.port}/`);
    expect([await page.text(), page.headers.get("content-type")]).toEqual([
      "<h1>page</h1>",
      "text/html; charset=utf-8",
    ]);
    expect(await (await fetch(`http://localhost:${dashboard.port}/config.json`)).json()).toEqual({
      environment: "local",
      restUrl: `http://localhost:${gateway.port}`,
      webSocketUrl: `ws://localhost:${gateway.port}`,
    });
    expect((await fetch(`http://127.0.0.1:${dashboard.port}/..%2fpackage.json`)).status).toBe(404);
  } finally {
    await dashboard.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

test.each([
  ["a program", {}, "true"],
  ["a page of this machine", { origin: "http://localhost:8080" }, "true"],
  ["a page of another origin", { origin: "https://example.com" }, "false"],
  ["a page of no origin", { origin: "null" }, "false"],
  ["a page whose name leads here", { origin: "http://example.com:8080", host: "example.com:8000" }, "false"],
])("%s is an operator or not, over REST and with each message of its connection", async (_what, headers, operator) => {
  await start();
  const request = get({ host: "127.0.0.1", port: gateway.port, path: "/sessions", headers });
  const [response] = (await once(request, "response")) as [IncomingMessage];
  response.resume();
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/`, { headers });
  sockets.push(socket);
  await once(socket, "open");
  socket.send('{"action":"subscribe"}');
  await eventually(() => expect(socketEvents).toHaveLength(2));
  expect([...restEvents, ...socketEvents].map(({ requestContext }) => requestContext)).toMatchObject([
    { authorizer: { operator } },
    { routeKey: "$connect", authorizer: { operator } },
    { routeKey: "subscribe", authorizer: { operator } },
  ]);
});
