import { createServer, type IncomingMessage, type Server } from "node:http";
import { PROMETHEUS_CONTENT_TYPE } from "./prometheus.ts";

type Status = "ok" | "degraded" | "down";

/** The answer of `GET /health`: the status of a program and of what it depends on. */
export interface Health {
  readonly status: Status;
  readonly components: Readonly<Record<string, { readonly status: Status; readonly detail?: string }>>;
}

/** Where `GET /metrics` comes from: the metrics of a program, or those of several parts together. */
export interface MetricsSource {
  /** As JSON. */
  snapshot(): object;
  /** In Prometheus' text format. */
  prometheus(): Promise<string>;
}

/**
 * Serves `GET /health` (503 when down) and `GET /metrics`, in Prometheus' text format or, to who accepts
 * `application/json`, as JSON; any other path is 404. Resolves when it listens.
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
    // A question that can't be answered must not end the program.
    void answer(request, health, metrics)
      .catch((error: unknown) => json(500, { error: `it can't be answered: ${(error as Error).message}` }))
      .then(({ status, type, body }) => response.writeHead(status, { "content-type": type }).end(body));
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => resolve(server));
  });
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

function json(status: number, body: object): Answer {
  return { status, type: "application/json", body: JSON.stringify(body) };
}

async function answer(request: IncomingMessage, health: () => Health, metrics: MetricsSource): Promise<Answer> {
  switch (request.url) {
    case "/metrics":
      return request.headers.accept?.includes("application/json") === true
        ? json(200, metrics.snapshot())
        : { status: 200, type: PROMETHEUS_CONTENT_TYPE, body: await metrics.prometheus() };
    case "/health": {
      const body = health();
      return json(body.status === "down" ? 503 : 200, body);
    }
    default:
      return json(404, { error: "use /health or /metrics" });
  }
}
