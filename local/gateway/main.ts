// The local API gateway: REST, WebSocket and @connections on one port, the dashboard on another. The Lambda functions
// run in this process and read their own settings from its environment.
import { startHealthServer } from "../../adapters/health.ts";
import { createLogger } from "../../adapters/log.ts";
import { programMetrics } from "../../adapters/program-metrics.ts";
import { logUncaught, onShutdown } from "../../adapters/shutdown.ts";
import { LOOPBACK } from "../../config/local.ts";
import { readSettings } from "../../config/settings.ts";
import { bundlePage } from "../../dashboard/build/bundle.ts";
import { restFallback, restRoutes, webSocketRoutes, type FunctionName } from "../../domain/api.ts";
import { existingWhere } from "../../domain/pipelines.ts";
import { hasHandler, loadFunction, type Invoke } from "../lambda/invoke.ts";
import { startDashboard } from "./dashboard.ts";
import { startGateway } from "./server.ts";

logUncaught("gateway");
const settings = readSettings("gateway", process.env);
const metrics = programMetrics("gateway");
const log = createLogger("gateway", settings.logLevel, metrics);

const routes = existingWhere(restRoutes, settings.pipelines);
const functions = new Map<FunctionName, Invoke>();
for (const name of new Set([...routes, ...webSocketRoutes].map((route) => route.function).concat(restFallback))) {
  if (hasHandler(name)) functions.set(name, await loadFunction(name));
  else log.error({ function: name }, "the function does not exist: its routes answer 502");
}
const gateway = await startGateway({
  port: settings.port,
  restRoutes: routes,
  restFallback,
  webSocketRoutes,
  functions,
  log,
  metrics,
  metricsPorts: settings.metricsPorts,
});
const dashboard =
  settings.dashboardPort > 0
    ? await startDashboard({
        port: settings.dashboardPort,
        folder: bundlePage(),
        apiPort: gateway.port,
        mqttUrl: settings.mqttUrl,
        statusPort: settings.statusPort,
        environment: settings.environment,
      })
    : null;
if (settings.healthPort > 0)
  await startHealthServer(
    settings.healthPort,
    LOOPBACK,
    () => ({ status: "ok", components: { gateway: { status: "ok" } } }),
    metrics,
  );
onShutdown(
  log,
  async () => {
    await dashboard?.close();
    await gateway.close();
  },
  10_000,
);
log.info({ port: gateway.port, dashboardPort: dashboard?.port }, "gateway is ready");
