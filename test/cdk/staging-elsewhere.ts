/**
 * The CDK app of an environment that no file has: staging in another region, whose zones have other ids and whose
 * Firehose takes less, so that a table has several delivery streams.
 */
import { App } from "aws-cdk-lib";
import staging from "../../config/environments/staging.ts";
import { readEnvironment } from "../../config/read-environment.ts";
import { buildPlatform } from "../../lib/platform/platform.ts";

const app = new App();
buildPlatform(
  app,
  readEnvironment({
    ...staging,
    region: "eu-central-1",
    zones: ["euc1-az1", "euc1-az2", "euc1-az3"],
    lake: { ...staging.lake, streams: { raw: 3, aggregated: 1 } },
  }),
);
app.synth();
