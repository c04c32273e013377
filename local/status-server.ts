import { createServer, type Server } from "node:http";
import { LOOPBACK } from "../config/local.ts";

/** A status of HTTP and a body, which is sent as JSON. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/**
 * Serves what `npm start` itself knows, as JSON at one path each, on loopback. Resolves when it listens.
 *
 * @param answers By path, such as `/alarms`; each gets the query. None may reject.
 * @throws Error when the port is taken
 */
export function startStatusServer(
  port: number,
  answers: Readonly<Record<string, (query: URLSearchParams) => Answer | Promise<Answer>>>,
): Promise<Server> {
  // Not by `URL`, which throws at `//`.
  const answerTo = (url: string): Answer | Promise<Answer> => {
    const [path = "", query] = url.split("?");
    const answer = Object.hasOwn(answers, path) ? answers[path] : undefined;
    return (
      answer?.(new URLSearchParams(query)) ?? {
        status: 404,
        body: { error: `use ${Object.keys(answers).join(" or ")}` },
      }
    );
  };
  const server = createServer((request, response) => {
    void Promise.resolve(answerTo(request.url ?? "/")).then(({ status, body }) => {
      response.statusCode = status;
      response.setHeader("content-type", "application/json");
      response.setHeader("cache-control", "no-store");
      response.end(JSON.stringify(body));
    });
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, LOOPBACK, () => resolve(server));
  });
}
