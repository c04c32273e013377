// The local EventBridge endpoint: accepts trades like the service, and gives them to the function behind its queue.
import { startHealthServer } from "../../adapters/health.ts";
import { createLogger } from "../../adapters/log.ts";
import { programMetrics } from "../../adapters/program-metrics.ts";
import { logUncaught, onShutdown } from "../../adapters/shutdown.ts";
import { LOOPBACK } from "../../config/local.ts";
import { readSettings } from "../../config/settings.ts";
import { tradeQueue } from "../../domain/event-source-mappings.ts";
import { loadFunction } from "../lambda/invoke.ts";
import { startEventBus } from "./server.ts";

logUncaught("events");
const settings = readSettings("events", process.env);
const metrics = programMetrics("events");
const log = createLogger("events", settings.logLevel, metrics);
const invoke = await loadFunction(tradeQueue.functionName);
const bus = await startEventBus({ ...settings, invoke, log, metrics });
if (settings.healthPort > 0)
  await startHealthServer(
    settings.healthPort,
    LOOPBACK,
    () => {
      const problem = bus.problem();
      return {
        status: problem === null ? "ok" : "degraded",
        components: { function: problem === null ? { status: "ok" } : { status: "degraded", detail: problem } },
      };
    },
    metrics,
  );
onShutdown(log, () => bus.close(), 20_000);
log.info({ port: bus.port, dataDir: settings.dataDir }, "EventBridge endpoint is ready");
