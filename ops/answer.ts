import { STATUS_CODES } from "node:http";
import { PROBLEM_CONTENT_TYPE, type Problem } from "../domain/api.ts";

/** A status of HTTP and a body, which is sent as JSON. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
  /** Of a body that is text, and sent as it is. @default JSON */
  readonly textType?: string;
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

/** The type of an answer's body. */
export function contentTypeOf({ status, textType }: Answer): string {
  if (textType !== undefined) return textType;
  return status < 400 ? "application/json" : PROBLEM_CONTENT_TYPE;
}
