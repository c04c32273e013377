import { IDEMPOTENCY_HEADER, idempotencyKey } from "../domain/ops.ts";
import { failed, type Answer, type Post } from "./answer.ts";

/** Bytes of a body, at most. */
export const MAX_BODY = 65_536;

/** Why a POST with such headers is refused; undefined where it is not. */
export function refusal(contentType: string | undefined, key: unknown): Answer | undefined {
  if (contentType !== "application/json") return failed(415, "content-type application/json is expected");
  if (idempotencyKey.safeParse(key).success) return undefined;
  return failed(400, `the header ${IDEMPOTENCY_HEADER} is expected: 8 to 64 letters, digits and dashes`);
}

/** What a POST answers to a body of JSON. */
export function answerPost(post: Post, body: string, key: string): Promise<Answer> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch (error) {
    return Promise.resolve(failed(400, `the body is no JSON: ${(error as Error).message}`));
  }
  return post(parsed, key);
}
