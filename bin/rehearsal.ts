/** The CDK app of the role that rehearses: `npx cdk deploy --app "node bin/rehearsal.ts" -c env=dev`. */
import { App } from "aws-cdk-lib";
import { runCommand } from "../adapters/run-command.ts";
import { environment } from "../config/environments/index.ts";
import { buildRehearsal } from "../lib/platform/platform.ts";

await runCommand(() => {
  const app = new App();
  buildRehearsal(app, environment(app.node.tryGetContext("env")));
  app.synth();
});
