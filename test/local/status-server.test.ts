import { request } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { startDashboard } from "../../local/gateway/dashboard.ts";
import { startStatusServer } from "../../local/status-server.ts";

let server: Server;
let port: number;
let posted: [unknown, string][];
beforeEach(async () => {
  posted = [];
  server = await startStatusServer(
    0,
    {
      "/trace": (query) => ({ status: 200, body: query.get("name") }),
      "/ops/models": () => ({ status: 200, body: "models" }),
      "/ops/openapi.json": () => ({ status: 200, body: "document" }),
    },
    {
      "/ops/models": (body, key) => {
        posted.push([body, key]);
        return Promise.resolve({ status: 200, body: "done" });
      },
    },
  );
  ({ port } = server.address() as AddressInfo);
});
afterEach(() => void server.close());

const headers = { "content-type": "application/json", "idempotency-key": "key-00001" };

/** By `node:http`: fetch sends no other Host. */
function send(to: number, path: string, given: Record<string, string> = {}, body?: string): Promise<[number, unknown]> {
  return new Promise((resolve, reject) => {
    const method = body === undefined ? "GET" : "POST";
    const sent = request({ host: "127.0.0.1", port: to, path, method, headers: given }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve([response.statusCode!, JSON.parse(text)]));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

test("a path without an answer is 404, also one that is no URL; a query reaches its answer", async () => {
  const detail = "use /trace or /ops/models or /ops/openapi.json";
  const unknown = [404, { type: "about:blank", title: "Not Found", status: 404, detail }];
  const get = (path: string) => send(port, path);
  expect(await Promise.all(["//", "/", "/constructor"].map(get))).toEqual([unknown, unknown, unknown]);
  expect(await get("/trace?name=a%2Fb")).toEqual([200, "a/b"]);
});

test("a POST reaches what does it, with its key", async () => {
  expect(await send(port, "/ops/models", headers, '{"a":1}')).toEqual([200, "done"]);
  expect(posted).toEqual([[{ a: 1 }, "key-00001"]]);
});

test.each([
  [403, { ...headers, origin: "http://example.com" }, "{}"],
  [403, { ...headers, host: "example.com" }, "{}"],
  [415, { ...headers, "content-type": "text/plain" }, "{}"],
  [400, { "content-type": "application/json" }, "{}"],
  [400, { ...headers, "idempotency-key": "short" }, "{}"],
  [400, headers, "{"],
  [413, headers, JSON.stringify("x".repeat(65_536))],
])("a POST is refused with %i for what its headers or its body are: %j", async (status, given, body) => {
  expect((await send(port, "/ops/models", given, body))[0]).toBe(status);
  expect(posted).toEqual([]);
});

test("a method that a path does not have is 405, and a foreign name reads nothing", async () => {
  expect((await send(port, "/trace", headers, "{}"))[0]).toBe(405);
  const { status, headers: answered } = await fetch(`http://127.0.0.1:${port}/ops/models`, { method: "PUT" });
  expect([status, answered.get("allow")]).toEqual([405, "GET, POST"]);
  expect((await send(port, "/trace", { host: "example.com" }))[0]).toBe(403);
});

test("the page's server hands the operators' API on, to pages of its own origin alone", async () => {
  const dashboard = await startDashboard({ port: 0, folder: ".", apiPort: 1, statusPort: port, environment: "local" });
  try {
    const host = `localhost:${dashboard.port}`;
    const to = dashboard.port;
    expect(await send(to, "/ops/models", { host })).toEqual([200, "models"]);
    expect(await send(to, "/ops/openapi.json", { host })).toEqual([200, "document"]);
    expect(await send(to, "/ops/models", { ...headers, host, origin: `http://${host}` }, "{}")).toEqual([200, "done"]);
    expect((await send(to, "/ops/models", { ...headers, host, origin: "http://localhost:1" }, "{}"))[0]).toBe(403);
    expect((await send(to, "/ops/models", { host: `example.com:${to}` }))[0]).toBe(403);
    expect(posted).toHaveLength(1);
  } finally {
    await dashboard.close();
  }
});
