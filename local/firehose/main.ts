// The local Firehose endpoint: accepts records like the service, and writes them to the lake as Parquet.
import { startHealthServer } from "../../adapters/health.ts";
import { createLogger } from "../../adapters/log.ts";
import { programMetrics } from "../../adapters/program-metrics.ts";
import { logUncaught, onShutdown } from "../../adapters/shutdown.ts";
import { LOOPBACK } from "../../config/local.ts";
import { readSettings } from "../../config/settings.ts";
import { startFirehose } from "./server.ts";

logUncaught("firehose");
const settings = readSettings("firehose", process.env);
const metrics = programMetrics("firehose");
const log = createLogger("firehose", settings.logLevel, metrics);
const firehose = await startFirehose({ ...settings, log, metrics, random: Math.random });
if (settings.healthPort > 0)
  await startHealthServer(
    settings.healthPort,
    LOOPBACK,
    () => {
      const problem = firehose.problem();
      return {
        status: problem === null ? "ok" : "degraded",
        components: { lake: problem === null ? { status: "ok" } : { status: "degraded", detail: problem } },
      };
    },
    metrics,
  );
onShutdown(log, () => firehose.close(), 20_000);
log.info({ port: firehose.port, lakeDir: settings.lakeDir }, "Firehose endpoint is ready");
