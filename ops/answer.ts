import { STATUS_CODES } from "node:http";
import { PROBLEM_CONTENT_TYPE, type Problem } from "../domain/api.ts";

/** A status of HTTP and a body, which is sent as JSON. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
  /** Of a body that is text, and sent as it is. @default JSON */
  readonly textType?: string;
  /** Beside its type. @default none */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers a GET. None may reject. */
export type Get = (query: URLSearchParams) => Answer | Promise<Answer>;
/** Does what a POST asks for, once for each key. None may reject. */
export type Post = (body: unknown, key: string) => Promise<Answer>;

/** An answer that says what is wrong, as RFC 9457 problem details: the status is all there is to tell kinds by. */
export function failed(status: number, detail: string): Answer {
  const body: Problem = { type: "about:blank", title: STATUS_CODES[status] ?? "Error", status, detail };
  return { status, body };
}

/** The answer to a method that a path does not have. */
export function notAllowed(path: string, methods: readonly string[]): Answer {
  return { ...failed(405, `use ${methods.join(" or ")} at ${path}`), headers: { allow: methods.join(", ") } };
}

/** The type of an answer's body. */
export function contentTypeOf({ status, textType }: Answer): string {
  if (textType !== undefined) return textType;
  return status < 400 ? "application/json" : PROBLEM_CONTENT_TYPE;
}
