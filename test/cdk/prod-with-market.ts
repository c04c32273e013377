/** The CDK app of an environment that no file has: prod with the market. The tests synthesise it. */
import { App } from "aws-cdk-lib";
import prod from "../../config/environments/prod.ts";
import { readEnvironment } from "../../config/read-environment.ts";
import { buildPlatform } from "../../lib/platform/platform.ts";

const app = new App();
buildPlatform(
  app,
  readEnvironment({
    ...prod,
    processor: { ...prod.processor, market: { minTasks: 2, maxTasks: 10 } },
    market: { archiveDays: 90, concurrency: 50 },
  }),
);
app.synth();
