/** The CDK app: `npx cdk synth -c env=dev`. */
import { App } from "aws-cdk-lib";
import { runCommand } from "../adapters/run-command.ts";
import { environment } from "../config/environments/index.ts";
import { buildPlatform } from "../lib/platform/platform.ts";

await runCommand(() => {
  const app = new App();
  // The CDK's command line names the account of its credentials, where it has some.
  buildPlatform(app, environment(app.node.tryGetContext("env"), process.env["CDK_DEFAULT_ACCOUNT"]));
  app.synth();
});
