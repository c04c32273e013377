import type { APIGatewayProxyEvent } from "aws-lambda";
import type { z } from "zod";
import { pathParameters } from "../../domain/api.ts";
import { ProblemError, type ParameterProblem } from "./problems.ts";

/**
 * Reads path and query parameters.
 *
 * @throws ProblemError `invalid-request` that lists every wrong parameter with the value received.
 */
export function readParameters<Q extends z.ZodObject, P extends keyof typeof pathParameters = never>(
  event: APIGatewayProxyEvent,
  query: Q,
  path: readonly P[] = [],
): z.infer<Q> & Record<P, string> {
  const errors: ParameterProblem[] = [];
  const received = event.queryStringParameters ?? {};
  for (const [name, values] of Object.entries(event.multiValueQueryStringParameters ?? {})) {
    if (values && values.length > 1)
      errors.push({ in: "query", name, received: values.join(", "), message: "is given more than once" });
  }
  const parsed = query.safeParse(received);
  for (const issue of parsed.error?.issues ?? []) {
    if (issue.code === "unrecognized_keys") {
      for (const name of issue.keys)
        errors.push({
          in: "query",
          name,
          received: received[name] ?? "",
          message: `is not a parameter here; there are ${Object.keys(query.shape).join(", ") || "none"}`,
        });
    } else
      errors.push({
        in: "query",
        name: String(issue.path[0]),
        received: received[String(issue.path[0])] ?? "",
        message: issue.message,
      });
  }
  const interval = parsed.data as { from?: number; to?: number } | undefined;
  if (interval?.from !== undefined && interval.to !== undefined && interval.from >= interval.to)
    errors.push({
      in: "query",
      name: "to",
      received: received["to"]!,
      message: `must be later than from (${received["from"]})`,
    });
  const named: Record<string, string> = {};
  for (const name of path) {
    const value = decode(event.pathParameters?.[name] ?? "");
    const result = pathParameters[name].safeParse(value);
    if (result.success) named[name] = result.data;
    else errors.push({ in: "path", name, received: value, message: result.error.issues[0]!.message });
  }
  if (errors.length > 0) throw invalid(errors);
  return { ...parsed.data, ...named } as z.infer<Q> & Record<P, string>;
}

export function invalid(errors: readonly ParameterProblem[]): ProblemError {
  return new ProblemError(
    "invalid-request",
    errors.map((error) => `${error.name} is ${JSON.stringify(error.received)}: ${error.message}`).join("; "),
    { errors },
  );
}

/** API Gateway passes path parameters on as they were sent: `%40` may stand for `@`. Ids contain no `%` themselves. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
