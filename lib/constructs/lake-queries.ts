import { aws_athena as athena, type aws_kms as kms, type aws_s3 as s3 } from "aws-cdk-lib";
import { lakeDatabaseName, resourceName } from "../names.ts";
import type { MillraceStack } from "./millrace-stack.ts";

const GIB = 1_024 ** 3;

/** Queries that an analyst finds in the work group. */
const namedQueries: Readonly<Record<string, { readonly description: string; readonly sql: readonly string[] }>> = {
  "windows-of-a-sensor": {
    description: "statistics of one sensor's windows on one day",
    sql: [
      "SELECT window_start, count, accmag.mean AS acceleration_mean, accmag.std AS acceleration_std",
      "FROM aggregated_exact",
      "WHERE dt = '2026-01-01' AND sensor_id = 's01-sw'",
      "ORDER BY window_start",
    ],
  },
  "sessions-by-length": {
    description: "longest sessions of one day",
    sql: [
      'SELECT session_id, sensor_id, ("end" - start) / 1000 AS seconds, samples',
      "FROM sessions_exact",
      "WHERE dt = '2026-01-01' AND type = 'ended'",
      "ORDER BY seconds DESC",
      "LIMIT 100",
    ],
  },
  "late-by-sensor": {
    description: "which sensors are late, by hour",
    sql: [
      "SELECT dt, hour, sensor_id, count(*) AS records, sum(cardinality(t)) AS readings",
      "FROM late_exact",
      "WHERE dt >= '2026-01-01'",
      "GROUP BY dt, hour, sensor_id",
      "ORDER BY readings DESC",
      "LIMIT 100",
    ],
  },
  "activity-per-day": {
    description: "how long each activity was recognised",
    sql: [
      "SELECT dt, label, sum(window_end - window_start) / 3600000 AS hours",
      "FROM inference_exact",
      "WHERE dt >= '2026-01-01'",
      "GROUP BY dt, label",
      "ORDER BY dt, hours DESC",
    ],
  },
};

/**
 * Athena's work group of the analysts: a limit to what one query may scan, encrypted results, and queries to start
 * from.
 */
export function lakeQueries(stack: MillraceStack, bucket: s3.IBucket, key: kms.IKey): athena.CfnWorkGroup {
  const workGroup = new athena.CfnWorkGroup(stack, "WorkGroup", {
    name: resourceName(stack.config, "analysts"),
    description: "queries of the lake, with a limit to what one may scan",
    recursiveDeleteOption: !stack.config.retainData,
    workGroupConfiguration: {
      enforceWorkGroupConfiguration: true,
      publishCloudWatchMetricsEnabled: true,
      bytesScannedCutoffPerQuery: stack.config.lake.queryScanLimitGiB * GIB,
      engineVersion: { selectedEngineVersion: "Athena engine version 3" },
      resultConfiguration: {
        outputLocation: `s3://${bucket.bucketName}/query-results/`,
        encryptionConfiguration: { encryptionOption: "SSE_KMS", kmsKey: key.keyArn },
      },
    },
  });
  for (const [name, { description, sql }] of Object.entries(namedQueries)) {
    const query = new athena.CfnNamedQuery(stack, `Query-${name}`, {
      name,
      description,
      database: lakeDatabaseName(stack.config),
      queryString: sql.join("\n"),
      workGroup: workGroup.name,
    });
    query.addResourceDependency(workGroup);
  }
  return workGroup;
}
