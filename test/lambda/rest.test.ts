import { expect, test } from "@jest/globals";
import { createLogger } from "../../adapters/log.ts";
import { problem } from "../../domain/api.ts";
import { decodeCursor, encodeCursor, toPage } from "../../lambda/shared/cursor.ts";
import { ProblemError } from "../../lambda/shared/problems.ts";
import { json, restFunction } from "../../lambda/shared/rest.ts";
import { restEvent } from "./events.ts";

const log = createLogger("test", "silent");
const fn = restFunction(log, ["*"], {
  "/sessions": () => json({ fine: true }),
  "/sensors": () => {
    throw new Error("secret detail");
  },
  "/health": () => {
    throw new ProblemError("unavailable", "MongoDB does not answer");
  },
});

test.each([
  ["/sessions", "GET", "/sessions", 200],
  ["/sensors", "GET", "/sensors", 500],
  ["/health", "GET", "/health", 503],
  ["/{proxy+}", "GET", "/nothing/here", 404],
  ["/{proxy+}", "GET", "/sensors/a/b/c", 404],
  ["/{proxy+}", "GET", "//", 404],
  ["/{proxy+}", "GET", "/sessions//", 404],
  ["/{proxy+}", "OPTIONS", "/nothing/here", 404],
  ["/sessions", "POST", "/sessions", 405],
  ["/{proxy+}", "DELETE", "/sessions/s1@5", 405],
  ["/{proxy+}", "PUT", "/sensors/s1/windows/", 405],
])("resource %s, %s %s is answered %d", async (resource, method, path, status) => {
  const answer = await fn(restEvent(resource, { method, path }));
  expect(answer.statusCode).toBe(status);
  expect(answer.headers).toMatchObject({
    "content-type": status === 200 ? "application/json" : "application/problem+json",
    "access-control-allow-origin": "*",
  });
  if (status === 405) expect(answer.headers).toMatchObject({ allow: "GET, HEAD, OPTIONS" });
  if (status !== 200) {
    const body = problem.parse(JSON.parse(answer.body));
    expect(body).toMatchObject({ status, instance: path });
    expect(body.type).toMatch(/^urn:millrace:problem:[a-z-]+$/);
    expect(answer.body).not.toContain("secret");
  }
});

// https://fetch.spec.whatwg.org/#http-access-control-allow-origin: one origin or *.
test.each([
  ["https://a.example", "https://a.example"],
  ["https://b.example", "https://b.example"],
  ["https://c.example", undefined],
  [undefined, undefined],
])("a page of %s may read what %s may", async (origin, allowed) => {
  const some = restFunction(log, ["https://a.example", "https://b.example"], { "/sessions": () => json({}) });
  for (const resource of ["/sessions", "/{proxy+}"]) {
    const event = restEvent(resource, { method: "GET", path: resource });
    const { headers } = await some({ ...event, headers: origin === undefined ? {} : { Origin: origin } });
    expect(headers!["access-control-allow-origin"]).toBe(allowed);
    expect(headers!["vary"]).toBe("Origin");
  }
});

test("a cursor gives back its position, for the same query alone", () => {
  const cursor = encodeCursor({ value: 1657533977813.25, id: "a@1657533977813.25" }, ["q", 1]);
  expect(cursor).toMatch(/^[A-Za-z0-9_-]+$/);
  expect(decodeCursor(cursor, ["q", 1])).toEqual({ value: 1657533977813.25, id: "a@1657533977813.25" });
  expect(() => decodeCursor(cursor, ["q", 2])).toThrow("other parameters");
  expect(() => decodeCursor(`${cursor}x`, ["q", 1])).toThrow(ProblemError);
});

test("a page has a next exactly when one more was found", () => {
  const position = (n: number): { value: number; id: string } => ({ value: n, id: String(n) });
  expect(toPage([3, 2, 1], 3, "q", position, String)).toEqual({ items: ["3", "2", "1"], next: null });
  const { items, next } = toPage([3, 2, 1], 2, "q", position, String);
  expect(items).toEqual(["3", "2"]);
  expect(decodeCursor(next!, "q")).toEqual({ value: 2, id: "2" });
  expect(toPage([], 2, "q", position, String)).toEqual({ items: [], next: null });
});

// RFC 9110, 9.3.2: a HEAD has the header of a GET, and no content; 10.2.1: Allow lists the methods.
test("HEAD, OPTIONS and 405 tell the same as GET", async () => {
  const ask = async (
    method: string,
  ): Promise<{ statusCode: number; body: string; headers: Record<string, unknown> }> => {
    const { statusCode, body, headers = {} } = await fn(restEvent("/sessions", { method, path: "/sessions" }));
    return { statusCode, body, headers };
  };
  const got = await ask("GET");
  // 8.6: the length of the content that a GET would have.
  const headers = { ...got.headers, "content-length": Buffer.byteLength(got.body) };
  expect(await ask("HEAD")).toEqual({ ...got, headers, body: "" });
  const options = await ask("OPTIONS");
  expect(options).toMatchObject({ statusCode: 204, body: "" });
  expect(options.headers).toMatchObject({
    allow: "GET, HEAD, OPTIONS",
    "access-control-allow-methods": "GET, HEAD, OPTIONS",
    "access-control-allow-headers": "authorization, content-type, if-none-match",
  });
  expect((await ask("DELETE")).headers["allow"]).toBe(options.headers["allow"]);
});

// RFC 9110, 13.1.2 and 15.4.5.
test("what a client has already is answered 304, without a body", async () => {
  let body = { fine: 1 };
  const changing = restFunction(log, ["*"], { "/sessions": () => json(body) });
  const ask = async (tag?: string): Promise<Awaited<ReturnType<typeof changing>>> =>
    changing({ ...restEvent("/sessions"), headers: tag === undefined ? {} : { "If-None-Match": tag } });
  const first = await ask();
  const etag = first.headers!["etag"] as string;
  expect(first).toMatchObject({ statusCode: 200, headers: { "cache-control": "private, no-cache" } });
  expect(etag).toMatch(/^W\/"[A-Za-z0-9_-]{22}"$/);
  for (const tag of [etag, `"other", ${etag}`, "*"]) {
    const again = await ask(tag);
    expect(again).toMatchObject({ statusCode: 304, body: "", headers: { etag } });
    expect(again.headers).not.toHaveProperty("content-type");
  }
  body = { fine: 2 };
  expect(await ask(etag)).toMatchObject({ statusCode: 200, body: '{"fine":2}' });
  // An error is no answer to keep.
  const failed = await fn({ ...restEvent("/health"), headers: { "If-None-Match": "*" } });
  expect(failed).toMatchObject({ statusCode: 503, headers: { "cache-control": "no-store" } });
});

test("a URL of more than 4,096 characters is refused, its query included", async () => {
  const query = (length: number): Parameters<typeof restEvent>[1] => ({ query: { cursor: "x".repeat(length) } });
  // "/sessions&cursor=" has 17 characters.
  expect((await fn(restEvent("/sessions", query(4_079)))).statusCode).toBe(200);
  const refused = await fn(restEvent("/sessions", query(4_080)));
  expect([refused.statusCode, JSON.parse(refused.body)]).toMatchObject([
    414,
    { type: "urn:millrace:problem:uri-too-long", detail: expect.stringContaining("4097") },
  ]);
});
