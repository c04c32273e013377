import middy from "@middy/core";
import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from "aws-lambda";
import type { Logger } from "../../adapters/log.ts";
import { restRoutes } from "../../domain/api.ts";
import { commonHeaders, ProblemError, problemResponse } from "./problems.ts";

export type RestHandler = (event: APIGatewayProxyEvent, context?: Context) => Promise<APIGatewayProxyResult>;
export type Answer = (event: APIGatewayProxyEvent) => APIGatewayProxyResult | Promise<APIGatewayProxyResult>;

export function json(body: unknown, statusCode = 200): APIGatewayProxyResult {
  return { statusCode, headers: { "content-type": "application/json", ...commonHeaders }, body: JSON.stringify(body) };
}

/**
 * A function behind API Gateway REST (proxy events, payload 1.0). `routes` maps a resource as it stands in `restRoutes`
 * to what answers GET; anything else is 405 with `Allow`, or 404. Errors become problem details; unexpected ones are
 * logged and answered 500.
 */
export function restFunction(log: Logger, routes: Readonly<Record<string, Answer>>): RestHandler {
  const handler = middy<APIGatewayProxyEvent, APIGatewayProxyResult>()
    .use({
      onError: (request) => {
        const { path, requestContext } = request.event;
        const known = request.error instanceof ProblemError ? request.error : undefined;
        if (!known || known.code === "unavailable")
          log.error({ err: request.error, path, requestId: requestContext?.requestId }, "request failed");
        request.response = problemResponse(
          known ??
            new ProblemError("internal-error", `request ${requestContext?.requestId ?? ""} failed`.replace("  ", " ")),
          path,
        );
      },
    })
    .handler((event: APIGatewayProxyEvent) => {
      const answer = event.httpMethod === "GET" ? routes[event.resource] : undefined;
      if (!answer) throw notRouted(event.httpMethod, event.path);
      return Promise.resolve(answer(event));
    });
  return handler as unknown as RestHandler;
}

/** What a request is told that no route takes: 405 when its path has another method, or else 404. */
export function notRouted(method: string, path: string): ProblemError {
  const methods = restRoutes.filter((route) => matches(route.path, path)).map((route) => route.method);
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
