import { createServer, type IncomingMessage, type Server } from "node:http";
import { isLoopbackHost, LOOPBACK } from "../config/local.ts";
import { IDEMPOTENCY_HEADER } from "../domain/ops.ts";
import { contentTypeOf, failed, notAllowed, type Answer, type Get, type Post } from "../ops/answer.ts";
import { answerPost, MAX_BODY, refusal } from "../ops/posts.ts";

/**
 * Serves what `npm start` itself knows, as JSON at one path each, on loopback. Resolves when it listens.
 *
 * A page of another origin can neither read nor do anything: no answer allows it, a POST needs a header that a browser
 * asks about before, and a foreign name that leads here is refused.
 *
 * @param gets By path, such as `/alarms`
 * @param posts By path, too
 * @throws Error when the port is taken
 */
export function startStatusServer(
  port: number,
  gets: Readonly<Record<string, Get>>,
  posts: Readonly<Record<string, Post>> = {},
): Promise<Server> {
  const answerTo = async (request: IncomingMessage): Promise<Answer> => {
    if (!isLoopbackHost(request.headers.host)) return failed(403, "use the address 127.0.0.1 or localhost");
    // Not by `URL`, which throws at `//`.
    const [path = "", query] = (request.url ?? "/").split("?");
    const [get, post] = [own(gets, path), own(posts, path)];
    if (!get && !post) return failed(404, `use ${Object.keys(gets).join(" or ")}`);
    if (get && request.method === "GET") return get(new URLSearchParams(query));
    if (!post || request.method !== "POST")
      return notAllowed(path, [...(get ? ["GET"] : []), ...(post ? ["POST"] : [])]);
    return readPost(request, post);
  };
  const server = createServer((request, response) => {
    void answerTo(request)
      .catch((error: unknown) => failed(400, (error as Error).message))
      .then((answer) => {
        response.statusCode = answer.status;
        response.setHeader("content-type", contentTypeOf(answer));
        response.setHeader("cache-control", "no-store");
        response.setHeaders(new Map(Object.entries(answer.headers ?? {})));
        response.end(JSON.stringify(answer.body));
      });
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, LOOPBACK, () => resolve(server));
  });
}

function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

async function readPost(request: IncomingMessage, post: Post): Promise<Answer> {
  const { origin, "content-type": type, [IDEMPOTENCY_HEADER]: key } = request.headers;
  if (origin !== undefined && !isLoopbackHost(origin.replace(/^https?:\/\//, "")))
    return failed(403, `${origin} is another origin`);
  const refused = refusal(type, key);
  if (refused) return refused;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    if ((bytes += chunk.length) > MAX_BODY) return failed(413, `a body has at most ${MAX_BODY} bytes`);
    chunks.push(chunk);
  }
  return answerPost(post, Buffer.concat(chunks).toString("utf8"), String(key));
}
