import { createServer, type Server } from "node:http";
import type { Metrics } from "./metrics.ts";

export interface Health {
  readonly status: "ok" | "degraded" | "down";
  readonly components: Readonly<
    Record<string, { readonly status: "ok" | "degraded" | "down"; readonly detail?: string }>
  >;
}

/** Serves `GET /health` (503 when down) and `GET /metrics` as JSON on loopback or, in a container, on all interfaces. */
export function startHealthServer(port: number, host: string, health: () => Health, metrics: Metrics): Promise<Server> {
  const server = createServer((request, response) => {
    const body = request.url === "/health" ? health() : request.url === "/metrics" ? metrics.snapshot() : null;
    response.statusCode = body === null ? 404 : "status" in body && body.status === "down" ? 503 : 200;
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(body ?? { error: "use /health or /metrics" }));
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => resolve(server));
  });
}
