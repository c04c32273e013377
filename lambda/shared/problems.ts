import type { APIGatewayProxyResult } from "aws-lambda";
import {
  problems,
  PROBLEM_CONTENT_TYPE,
  PROBLEM_TYPE_PREFIX,
  type Problem,
  type ProblemCode,
} from "../../domain/api.ts";

/** A wrong parameter of a request. */
export type ParameterProblem = NonNullable<Problem["errors"]>[number];

/** An error that is answered with RFC 9457 problem details. The client sees its message. */
export class ProblemError extends Error {
  readonly code: ProblemCode;
  readonly errors: readonly ParameterProblem[] | undefined;
  readonly headers: Readonly<Record<string, string>>;
  constructor(
    code: ProblemCode,
    detail: string,
    options: { cause?: unknown; errors?: readonly ParameterProblem[]; headers?: Record<string, string> } = {},
  ) {
    super(detail, { cause: options.cause });
    this.name = "ProblemError";
    this.code = code;
    this.errors = options.errors;
    this.headers = options.headers ?? {};
  }
}

/** Headers of every REST answer. Nobody may cache it; `restFunction` lets clients keep what they then ask about. */
export const commonHeaders = { "cache-control": "no-store" } as const;

/**
 * Headers that let a page read an answer: any page where the origins are `*`, else one whose origin is among them.
 * There are no cookies.
 *
 * @param origin Header `Origin` of the request.
 */
export function corsHeaders(origins: readonly string[], origin: string | undefined): Record<string, string> {
  const exposed = { "access-control-expose-headers": "allow, etag, retry-after" };
  if (origins.includes("*")) return { "access-control-allow-origin": "*", ...exposed };
  const allowed = origin !== undefined && origins.includes(origin);
  return { vary: "Origin", ...(allowed ? { "access-control-allow-origin": origin, ...exposed } : {}) };
}

/** A header of a request; API Gateway passes names on as the client wrote them. */
export function headerOf(
  { headers }: { readonly headers: Readonly<Record<string, string | undefined>> | null },
  name: string,
): string | undefined {
  return Object.entries(headers ?? {}).find(([key]) => key.toLowerCase() === name)?.[1];
}

/** The answer that has an error as problem details; `instance` is the path of the request. */
export function problemResponse(error: ProblemError, instance: string): APIGatewayProxyResult {
  const { status, title } = problems[error.code];
  const body: Problem = {
    type: PROBLEM_TYPE_PREFIX + error.code,
    title,
    status,
    detail: error.message,
    instance,
    ...(error.errors ? { errors: [...error.errors] } : {}),
  };
  return {
    statusCode: status,
    headers: { "content-type": PROBLEM_CONTENT_TYPE, ...commonHeaders, ...error.headers },
    body: JSON.stringify(body),
  };
}
