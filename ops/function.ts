import type { APIGatewayProxyEvent, APIGatewayProxyResult } from "aws-lambda";
import type { Logger } from "../adapters/log.ts";
import { IDEMPOTENCY_HEADER } from "../domain/ops.ts";
import { contentTypeOf, failed, notAllowed, type Answer, type Get, type Post } from "./answer.ts";
import { answerPost, MAX_BODY, refusal } from "./posts.ts";

/** What a function of the operators' API answers, by path. */
export interface OpsRoutes {
  readonly gets?: Readonly<Record<string, Get>>;
  readonly posts?: Readonly<Record<string, Post>>;
}

/**
 * A function behind the operators' API (API Gateway REST, proxy events): it answers as `npm start` does. API Gateway
 * has let in who may invoke it, and its access log has who that was; who changes something is in the function's log,
 * too.
 */
export function opsFunction(
  log: Logger,
  { gets = {}, posts = {} }: OpsRoutes,
): (event: APIGatewayProxyEvent) => Promise<APIGatewayProxyResult> {
  return async (event) => {
    const answer = await answerTo(event, gets[event.resource], posts[event.resource]).catch((error: unknown) => {
      log.error({ err: error, path: event.path }, "request failed");
      return failed(500, `request ${event.requestContext.requestId} failed`);
    });
    if (event.httpMethod === "POST") {
      const { userArn: caller } = event.requestContext.identity;
      log.info({ caller, path: event.path, body: event.body, status: answer.status }, "an operator asked for a change");
    }
    return {
      statusCode: answer.status,
      headers: { "content-type": contentTypeOf(answer), "cache-control": "no-store", ...answer.headers },
      body: answer.textType === undefined ? JSON.stringify(answer.body) : String(answer.body),
    };
  };
}

async function answerTo(event: APIGatewayProxyEvent, get: Get | undefined, post: Post | undefined): Promise<Answer> {
  if (get && event.httpMethod === "GET") return get(queryOf(event));
  if (!post || event.httpMethod !== "POST") return notAllowed(event.resource, [get ? "GET" : "POST"]);
  const header = (name: string): string | undefined =>
    Object.entries(event.headers).find(([key]) => key.toLowerCase() === name)?.[1];
  const key = header(IDEMPOTENCY_HEADER);
  const refused = refusal(header("content-type"), key);
  if (refused) return refused;
  const body = Buffer.from(event.body ?? "", event.isBase64Encoded ? "base64" : "utf8");
  if (body.length > MAX_BODY) return failed(413, `a body has at most ${MAX_BODY} bytes`);
  return answerPost(post, body.toString("utf8"), String(key));
}

function queryOf({ multiValueQueryStringParameters }: APIGatewayProxyEvent): URLSearchParams {
  return new URLSearchParams(
    Object.entries(multiValueQueryStringParameters ?? {}).flatMap(([name, values = []]) =>
      values.map((value): [string, string] => [name, value]),
    ),
  );
}
