import { aws_athena as athena, type aws_kms as kms, type aws_s3 as s3 } from "aws-cdk-lib";
import { runningPipelineNames } from "../../config/pipelines.ts";
import { namedQueries } from "../../domain/lake-queries.ts";
import { existingWhere } from "../../domain/pipelines.ts";
import { lakeDatabaseName, workGroupName } from "../names.ts";
import type { MillraceStack } from "./millrace-stack.ts";

const GIB = 1_024 ** 3;

/**
 * Athena's work group of the analysts: a limit to what one query may scan, encrypted results, and queries to start
 * from.
 */
export function lakeQueries(stack: MillraceStack, bucket: s3.IBucket, key: kms.IKey): athena.CfnWorkGroup {
  const workGroup = new athena.CfnWorkGroup(stack, "WorkGroup", {
    name: workGroupName(stack.config),
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
  for (const { name, description, sql } of existingWhere(namedQueries, runningPipelineNames(stack.config))) {
    const query = new athena.CfnNamedQuery(stack, `Query-${name}`, {
      name,
      description,
      database: lakeDatabaseName(stack.config),
      queryString: sql,
      workGroup: workGroup.name,
    });
    query.addResourceDependency(workGroup);
  }
  return workGroup;
}
