import { createServer, type Server } from "node:http";

type Status = "ok" | "degraded" | "down";

/** The answer of `GET /health`: the status of a program and of what it depends on. */
export interface Health {
  readonly status: Status;
  readonly components: Readonly<Record<string, { readonly status: Status; readonly detail?: string }>>;
}

/** Where `GET /metrics` comes from: the metrics of a program, or those of several parts together. */
export interface MetricsSource {
  snapshot(): object;
}

/**
 * Serves `GET /health` (503 when down) and `GET /metrics` as JSON; any other path is 404. Resolves when it listens.
 *
 * @param host Address to listen on: loopback, or `0.0.0.0` in a container
 * @throws Error when the port is taken
 */
export function startHealthServer(
  port: number,
  host: string,
  health: () => Health,
  metrics: MetricsSource,
): Promise<Server> {
  const server = createServer((request, response) => {
    const [status, body] = answer(request.url, health, metrics);
    response.statusCode = status;
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(body));
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => resolve(server));
  });
}

function answer(url: string | undefined, health: () => Health, metrics: MetricsSource): [status: number, body: object] {
  if (url === "/metrics") return [200, metrics.snapshot()];
  if (url !== "/health") return [404, { error: "use /health or /metrics" }];
  const body = health();
  return [body.status === "down" ? 503 : 200, body];
}
