/** A status of HTTP and a body, which is sent as JSON. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** Answers a GET. None may reject. */
export type Get = (query: URLSearchParams) => Answer | Promise<Answer>;
/** Does what a POST asks for, once for each key. None may reject. */
export type Post = (body: unknown, key: string) => Promise<Answer>;

/** An answer that says what is wrong. */
export function failed(status: number, error: string): Answer {
  return { status, body: { error } };
}
