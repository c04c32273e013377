import { EmbeddedMetrics } from "../../adapters/embedded-metrics.ts";
import { createLogger } from "../../adapters/log.ts";
import { Metrics } from "../../adapters/metrics.ts";
import { readSettings } from "../../config/settings.ts";
import { MINUTE, SECOND } from "../../domain/time.ts";
import { batchFunction, placeOf } from "../shared/kafka-event.ts";
import { Audit } from "./audit.ts";

/** Time between two lines of metrics, and between two summaries. They are written when the function is invoked. */
const METRICS_INTERVAL_MS = 10 * SECOND;
const SUMMARY_INTERVAL_MS = MINUTE;

const settings = readSettings("auditOutput", process.env);
const log = createLogger("audit-output", settings.logLevel);

/** The figures of this execution environment. */
export const metrics = new Metrics("audit-output");
const embedded =
  settings.metricsLog === "emf"
    ? new EmbeddedMetrics(metrics, { environment: settings.environment, program: "audit-output" })
    : null;

const startedMs = Date.now();
const audit = new Audit({ ...settings, startedMs, now: Date.now }, metrics);
let measuredMs = startedMs;
let summedMs = startedMs;
log.info("a new execution environment: it knows nothing of what was read before, and its comparisons begin here");

/** The outputs of both pipelines, as somebody reads them who knows nothing but the contracts. It refuses no record. */
export const handler = batchFunction(log, (records) => {
  const nowMs = Date.now();
  for (const { record, error } of audit.take(records, nowMs))
    log.error({ err: error, ...placeOf(record) }, "an output does not follow its contract");
  if (embedded !== null && nowMs - measuredMs >= METRICS_INTERVAL_MS) {
    measuredMs = nowMs;
    embedded.write([1, 2, 3]);
  }
  if (nowMs - summedMs >= SUMMARY_INTERVAL_MS) {
    summedMs = nowMs;
    log.info(audit.summary(), "what an outsider sees");
  }
  return Promise.resolve([]);
});
