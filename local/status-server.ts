import { createServer, type Server } from "node:http";
import { LOOPBACK } from "../config/local.ts";

/**
 * Serves what `npm start` itself knows, as JSON at one path each, on loopback. Resolves when it listens.
 *
 * @param answers By path, such as `/alarms`
 * @throws Error when the port is taken
 */
export function startStatusServer(port: number, answers: Readonly<Record<string, () => unknown>>): Promise<Server> {
  const server = createServer((request, response) => {
    const answer = Object.hasOwn(answers, request.url ?? "") ? answers[request.url!] : undefined;
    response.statusCode = answer ? 200 : 404;
    response.setHeader("content-type", "application/json");
    response.setHeader("cache-control", "no-store");
    response.end(JSON.stringify(answer ? answer() : { error: `use ${Object.keys(answers).join(" or ")}` }));
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, LOOPBACK, () => resolve(server));
  });
}
