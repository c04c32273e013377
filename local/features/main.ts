// The local Feature Store runtime endpoint: an online store with the semantics of the service.
import { startHealthServer } from "../../adapters/health.ts";
import { createLogger } from "../../adapters/log.ts";
import { programMetrics } from "../../adapters/program-metrics.ts";
import { logUncaught, onShutdown } from "../../adapters/shutdown.ts";
import { LOOPBACK } from "../../config/local.ts";
import { readSettings } from "../../config/settings.ts";
import { EVENT_TIME_FEATURE, featureGroups, type FeatureGroupKey } from "../../domain/features.ts";
import { featureGroupName } from "../../domain/names.ts";
import { startFeatureStore } from "./server.ts";

logUncaught("features");
const settings = readSettings("features", process.env);
const metrics = programMetrics("features");
const log = createLogger("features", settings.logLevel, metrics);
const groups = (Object.keys(featureGroups) as FeatureGroupKey[]).map((key) => ({
  name: featureGroupName(settings.environment, key),
  recordIdentifier: featureGroups[key].recordIdentifier,
  eventTime: EVENT_TIME_FEATURE,
  features: featureGroups[key].features,
}));
const store = await startFeatureStore({ ...settings, groups, log });
if (settings.healthPort > 0)
  await startHealthServer(
    settings.healthPort,
    LOOPBACK,
    () => ({ status: "ok", components: { store: { status: "ok" } } }),
    metrics,
  );
onShutdown(log, () => store.close(), 10_000);
log.info({ port: store.port, dataDir: settings.dataDir }, "Feature Store endpoint is ready");
