import middy from "@middy/core";
import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from "aws-lambda";
import type { Logger } from "../../adapters/log.ts";
import { restRoutes, type RestRoute } from "../../domain/api.ts";
import { commonHeaders, corsHeaders, headerOf, ProblemError, problemResponse } from "./problems.ts";

/** A function behind API Gateway REST. */
export type RestHandler = (event: APIGatewayProxyEvent, context?: Context) => Promise<APIGatewayProxyResult>;
/** What answers GET on one route. */
export type Answer = (event: APIGatewayProxyEvent) => APIGatewayProxyResult | Promise<APIGatewayProxyResult>;

/** An answer with a JSON body. */
export function json(body: unknown, statusCode = 200): APIGatewayProxyResult {
  return { statusCode, headers: { "content-type": "application/json", ...commonHeaders }, body: JSON.stringify(body) };
}

/**
 * A function behind API Gateway REST (proxy events, payload 1.0). `routes` has what answers GET, by the path of
 * `restRoutes`. Any other request is answered 405 with `Allow`, or 404. A `ProblemError` becomes problem details. Any
 * other error is logged and answered 500.
 *
 * @param corsOrigins Origins whose pages may read the answers.
 * @param existing The routes of this environment.
 */
export function restFunction(
  log: Logger,
  corsOrigins: readonly string[],
  routes: Readonly<Record<string, Answer>>,
  existing: readonly RestRoute[] = restRoutes,
): RestHandler {
  const letRead = ({
    event,
    response,
  }: {
    event: APIGatewayProxyEvent;
    response: APIGatewayProxyResult | null;
  }): void => {
    if (response !== null)
      response.headers = { ...response.headers, ...corsHeaders(corsOrigins, headerOf(event, "origin")) };
  };
  const handler = middy<APIGatewayProxyEvent, APIGatewayProxyResult>()
    .use({
      after: letRead,
      onError: (request) => {
        const { path, requestContext } = request.event;
        const requestId = requestContext?.requestId;
        const known = request.error instanceof ProblemError ? request.error : undefined;
        if (!known) log.error({ err: request.error, path, requestId }, "request failed");
        else if (known.code === "unavailable") log.warn({ err: known, path, requestId }, "a store does not answer");
        request.response = problemResponse(known ?? internalError(requestId), path);
        letRead(request);
      },
    })
    .handler((event: APIGatewayProxyEvent) => {
      const answer = event.httpMethod === "GET" ? routes[event.resource] : undefined;
      if (!answer) throw notRouted(existing, event.httpMethod, event.path);
      return Promise.resolve(answer(event));
    });
  return handler as unknown as RestHandler;
}

function internalError(requestId: string | undefined): ProblemError {
  return new ProblemError("internal-error", requestId ? `request ${requestId} failed` : "request failed");
}

/** The problem of a request that no route takes: 405 when its path has another method, else 404. */
function notRouted(existing: readonly RestRoute[], method: string, path: string): ProblemError {
  const methods = existing.filter((route) => matches(route.path, path)).map((route) => route.method);
  if (methods.length === 0 || methods.includes(method as "GET"))
    return new ProblemError("not-found", `there is no ${path}: GET / lists what there is`);
  return new ProblemError("method-not-allowed", `${path} does not have ${method}`, {
    headers: { allow: methods.join(", ") },
  });
}

function matches(template: string, path: string): boolean {
  const wanted = template.split("/");
  const received = path.replace(/(.)\/$/, "$1").split("/");
  return (
    wanted.length === received.length &&
    wanted.every((part, i) => (part.startsWith("{") ? received[i] !== "" : part === received[i]))
  );
}
