import type { Server } from "node:http";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startHealthServer } from "../../adapters/health.ts";
import { createLogger } from "../../adapters/log.ts";
import { Metrics } from "../../adapters/metrics.ts";
import { restApp } from "../../local/gateway/rest.ts";

const servers: Server[] = [];
const portOf = (server: Server): number => (server.address() as { port: number }).port;
let closedPort: number;

beforeAll(async () => {
  for (const program of ["bridge", "live", "gone"]) {
    const metrics = new Metrics(program);
    metrics.add("program.starts");
    servers.push(await startHealthServer(0, "127.0.0.1", () => ({ status: "ok", components: {} }), metrics));
  }
  const gone = servers.pop()!;
  closedPort = portOf(gone);
  gone.close();
});
afterAll(() => {
  for (const server of servers) server.close();
});

test("GET /metrics of the API has the metrics of the programs that answer", async () => {
  const rest = restApp({
    routes: [],
    fallback: "read-root",
    functions: new Map(),
    log: createLogger("test", "fatal"),
    metrics: new Metrics(),
    metricsPorts: [...servers.map(portOf), closedPort],
  });
  const response = await rest.request("/metrics");
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect((await response.text()).split("\n").slice(1)).toEqual([
    "# TYPE millrace_program_starts_total counter",
    'millrace_program_starts_total{program="bridge"} 1',
    'millrace_program_starts_total{program="live"} 1',
    "",
  ]);
});
