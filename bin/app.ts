/** The CDK app: `npx cdk synth -c env=dev`. */
import { App } from "aws-cdk-lib";
import { runCommand } from "../adapters/run-command.ts";
import { environment } from "../config/environments/index.ts";
import { buildPlatform } from "../lib/platform/platform.ts";

await runCommand(() => {
  const app = new App();
  buildPlatform(app, environment(app.node.tryGetContext("env")));
  app.synth();
});
