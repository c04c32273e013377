import { hash } from "node:crypto";
import middy from "@middy/core";
import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from "aws-lambda";
import type { Logger } from "../../adapters/log.ts";
import { ALLOWED_HEADERS, MAX_URL_LENGTH, methodsOf, restRoutes } from "../../domain/api.ts";
import { commonHeaders, corsHeaders, headerOf, ProblemError, problemResponse } from "./problems.ts";

/** A function behind API Gateway REST. */
export type RestHandler = (event: APIGatewayProxyEvent, context?: Context) => Promise<APIGatewayProxyResult>;
/** A route as far as it decides who answers. */
export interface Route {
  readonly method: "GET" | "POST";
  readonly path: string;
}
/** What answers a request on one route. */
export type Answer = (event: APIGatewayProxyEvent) => APIGatewayProxyResult | Promise<APIGatewayProxyResult>;

/** An answer with a JSON body. */
export function json(body: unknown, statusCode = 200): APIGatewayProxyResult {
  return { statusCode, headers: { "content-type": "application/json", ...commonHeaders }, body: JSON.stringify(body) };
}

/**
 * A function behind API Gateway REST (proxy events, payload 1.0). `routes` has what answers, by the path of `existing`.
 * HEAD is answered as GET, without the body; OPTIONS with the methods of the path; others with 405, or 404 where there
 * is no such path.
 *
 * A `ProblemError` becomes problem details. Any other error is logged and answered 500. A client that has the answer
 * already (`If-None-Match`) gets 304.
 *
 * @param corsOrigins Origins whose pages may read the answers.
 * @param existing The routes of this environment.
 */
export function restFunction(
  log: Logger,
  corsOrigins: readonly string[],
  routes: Readonly<Record<string, Answer>>,
  existing: readonly Route[] = restRoutes,
): RestHandler {
  const complete = ({
    event,
    response,
  }: {
    event: APIGatewayProxyEvent;
    response: APIGatewayProxyResult | null;
  }): void => {
    if (response === null) return;
    validate(event, response);
    if (event.httpMethod === "HEAD") withoutBody(response);
    response.headers = { ...response.headers, ...corsHeaders(corsOrigins, headerOf(event, "origin")) };
  };
  const handler = middy<APIGatewayProxyEvent, APIGatewayProxyResult>()
    .use({
      after: complete,
      onError: (request) => {
        const { path, requestContext } = request.event;
        const requestId = requestContext?.requestId;
        const known = request.error instanceof ProblemError ? request.error : undefined;
        if (!known) log.error({ err: request.error, path, requestId }, "request failed");
        else if (known.code === "unavailable") log.warn({ err: known, path, requestId }, "a store does not answer");
        request.response = problemResponse(known ?? internalError(requestId), path);
        complete(request);
      },
    })
    .handler((event: APIGatewayProxyEvent) => {
      refuseLong(event);
      const { httpMethod, path, resource } = event;
      const methods = existing.filter((route) => matches(route.path, path));
      if (httpMethod === "OPTIONS" && methods.length > 0) return Promise.resolve(preflight(methodsOf(methods)));
      const asked = httpMethod === "HEAD" ? "GET" : httpMethod;
      const isThere = existing.some((route) => route.path === resource && route.method === asked);
      const answer = isThere ? routes[resource] : undefined;
      if (!answer) throw notRouted(methods, httpMethod, path);
      return Promise.resolve(answer(event));
    });
  return handler as unknown as RestHandler;
}

/** @throws ProblemError `uri-too-long` */
function refuseLong({ path, multiValueQueryStringParameters }: APIGatewayProxyEvent): void {
  const query = Object.entries(multiValueQueryStringParameters ?? {}).flatMap(([name, values = []]) =>
    values.map((value) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`),
  );
  const { length } = [path, ...query].join("&");
  if (length > MAX_URL_LENGTH)
    throw new ProblemError("uri-too-long", `the path and query have ${length} characters: at most ${MAX_URL_LENGTH}`);
}

/** Gives an answer its validator, and answers 304 where the client has it: a cache asks before it uses its copy. */
function validate({ httpMethod, ...event }: APIGatewayProxyEvent, response: APIGatewayProxyResult): void {
  if (response.statusCode !== 200 || (httpMethod !== "GET" && httpMethod !== "HEAD")) return;
  // Weak: API Gateway may compress the body.
  const etag = `W/"${hash("sha256", response.body, "base64url").slice(0, 22)}"`;
  response.headers = { ...response.headers, etag, "cache-control": "private, no-cache" };
  const known = headerOf(event, "if-none-match")?.split(",") ?? [];
  if (!known.some((tag) => tag.trim() === etag || tag.trim() === "*")) return;
  const { "content-type": _, ...headers } = response.headers;
  Object.assign(response, { statusCode: 304, headers, body: "" });
}

/** Leaves out the body, and says how long it is. API Gateway writes a length of its own. */
function withoutBody(response: APIGatewayProxyResult): void {
  if (response.statusCode !== 304)
    response.headers = { ...response.headers, "content-length": Buffer.byteLength(response.body) };
  response.body = "";
}

function preflight(methods: readonly string[]): APIGatewayProxyResult {
  const allow = methods.join(", ");
  return {
    statusCode: 204,
    headers: {
      allow,
      "access-control-allow-methods": allow,
      "access-control-allow-headers": ALLOWED_HEADERS.join(", "),
      "access-control-max-age": "3600",
    },
    body: "",
  };
}

function internalError(requestId: string | undefined): ProblemError {
  return new ProblemError("internal-error", requestId ? `request ${requestId} failed` : "request failed");
}

/** The problem of a request that no route takes: 405 when its path has routes, else 404. */
function notRouted(routes: readonly Route[], method: string, path: string): ProblemError {
  const methods = methodsOf(routes);
  if (routes.length === 0 || methods.includes(method))
    return new ProblemError("not-found", `there is no ${path}: GET / lists what there is`);
  return new ProblemError("method-not-allowed", `${path} does not have ${method}`, {
    headers: { allow: methods.join(", ") },
  });
}

function matches(template: string, path: string): boolean {
  const wanted = template.split("/");
  const received = path.replace(/([^/])\/$/, "$1").split("/");
  return (
    wanted.length === received.length &&
    wanted.every((part, i) => (part.startsWith("{") ? received[i] !== "" : part === received[i]))
  );
}
