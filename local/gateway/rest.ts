import type { HttpBindings } from "@hono/node-server";
import type { APIGatewayProxyResult } from "aws-lambda";
import { Hono } from "hono";
import { compress } from "hono/compress";
import type { Logger } from "../../adapters/log.ts";
import type { Metrics } from "../../adapters/metrics.ts";
import { PROMETHEUS_CONTENT_TYPE } from "../../adapters/prometheus.ts";
import type { FunctionName, RestRoute } from "../../domain/api.ts";
import type { Invoke } from "../lambda/invoke.ts";
import { metricsOf } from "./all-metrics.ts";
import { matchRoute, restEvent, urlOf, type HttpRequest } from "./events.ts";

export interface RestOptions {
  readonly routes: readonly RestRoute[];
  readonly fallback: FunctionName;
  readonly functions: ReadonlyMap<FunctionName, Invoke>;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Ports of the programs whose metrics `GET /metrics` has. @default none */
  readonly metricsPorts?: readonly number[];
}

/** The REST API. It turns each request into API Gateway's proxy event, and the function's result into the response. */
export function restApp(options: RestOptions): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.use(compress());
  app.get("/metrics", async (context) =>
    context.text(await metricsOf(options.metricsPorts ?? []), 200, { "content-type": PROMETHEUS_CONTENT_TYPE }),
  );
  app.all("*", async (context) => {
    const { incoming } = context.env;
    const request = {
      method: incoming.method ?? "GET",
      url: incoming.url ?? "/",
      headers: incoming.headers,
      sourceIp: incoming.socket.remoteAddress ?? "",
      nowMs: Date.now(),
    };
    const match = matchRoute(options.routes, request.method, urlOf(request.url).pathname);
    options.metrics.add("gateway.requests");
    const name = match.route?.function ?? options.fallback;
    try {
      const event = restEvent(request, match, Buffer.from(await context.req.arrayBuffer()));
      const result = (await options.functions.get(name)?.(event)) as APIGatewayProxyResult | undefined;
      if (typeof result?.statusCode !== "number") throw new Error(`${name} returned no proxy response`);
      return toResponse(result, request);
    } catch (error) {
      options.log.error(
        { err: error, function: name, url: request.url },
        "the function failed, or its response is not a proxy response",
      );
      return Response.json({ message: "Internal server error" }, { status: 502 });
    }
  });
  return app;
}

function toResponse(result: APIGatewayProxyResult, { method, headers: asked }: HttpRequest): Response {
  const headers = new Headers();
  for (const [name, value] of Object.entries(result.headers ?? {})) headers.set(name, String(value));
  for (const [name, values] of Object.entries(result.multiValueHeaders ?? {}))
    for (const value of values) headers.append(name, String(value));
  const body = result.isBase64Encoded ? Buffer.from(result.body, "base64") : result.body;
  const empty = result.statusCode === 204 || result.statusCode === 304;
  // The length says whether it is worth to compress. Of a HEAD the function says it, and it is the answer's as it is.
  if (method === "HEAD") {
    if (asked["accept-encoding"] !== undefined) headers.delete("content-length");
  } else if (!empty) headers.set("content-length", String(Buffer.byteLength(body)));
  return new Response(empty ? null : body, { status: result.statusCode, headers });
}
