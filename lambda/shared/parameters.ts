import type { APIGatewayProxyEvent } from "aws-lambda";
import type { z } from "zod";
import { pathParameters } from "../../domain/api.ts";
import { ProblemError, type ParameterProblem } from "./problems.ts";

/**
 * Reads the query parameters that `query` describes and the path parameters named in `path`.
 *
 * @throws ProblemError `invalid-request` that lists every wrong parameter with the value received
 */
export function readParameters<Q extends z.ZodObject, P extends keyof typeof pathParameters = never>(
  event: APIGatewayProxyEvent,
  query: Q,
  path: readonly P[] = [],
): z.infer<Q> & Record<P, string> {
  const received = event.queryStringParameters ?? {};
  const parsed = query.safeParse(received);
  const named: Record<string, string> = {};
  const errors = [
    ...repeated(event),
    ...(parsed.error?.issues ?? []).flatMap((issue) => queryProblems(issue, received, Object.keys(query.shape))),
    ...emptyInterval(parsed.data, received),
  ];
  for (const name of path) {
    const value = decode(event.pathParameters?.[name] ?? "");
    const result = pathParameters[name].safeParse(value);
    if (result.success) named[name] = result.data;
    else errors.push({ in: "path", name, received: value, message: result.error.issues[0]!.message });
  }
  if (errors.length > 0) throw invalid(errors);
  return { ...parsed.data, ...named } as z.infer<Q> & Record<P, string>;
}

type Received = Readonly<Record<string, string | undefined>>;

function repeated({ multiValueQueryStringParameters }: APIGatewayProxyEvent): ParameterProblem[] {
  return Object.entries(multiValueQueryStringParameters ?? {}).flatMap(([name, values = []]) =>
    values.length > 1
      ? [{ in: "query" as const, name, received: values.join(", "), message: "is given more than once" }]
      : [],
  );
}

function queryProblems(issue: z.core.$ZodIssue, received: Received, known: readonly string[]): ParameterProblem[] {
  const problem = (name: string, message: string): ParameterProblem => ({
    in: "query",
    name,
    received: received[name] ?? "",
    message,
  });
  if (issue.code !== "unrecognized_keys") return [problem(String(issue.path[0]), issue.message)];
  const message = `is not a parameter here; there are ${known.join(", ") || "none"}`;
  return issue.keys.map((name) => problem(name, message));
}

function emptyInterval(query: unknown, received: Received): ParameterProblem[] {
  const { from, to } = (query ?? {}) as { from?: number; to?: number };
  if (from === undefined || to === undefined || from < to) return [];
  const message = `must be later than from (${received["from"]})`;
  return [{ in: "query", name: "to", received: received["to"]!, message }];
}

/** The problem `invalid-request` of these parameters. */
export function invalid(errors: readonly ParameterProblem[]): ProblemError {
  return new ProblemError(
    "invalid-request",
    errors.map((error) => `${error.name} is ${JSON.stringify(error.received)}: ${error.message}`).join("; "),
    { errors },
  );
}

/** API Gateway passes path parameters on as received: `%40` may stand for `@`. Ids contain no `%` themselves. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
