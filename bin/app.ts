import { App } from "aws-cdk-lib";
import { environment } from "../config/environments/index.ts";
import { MillraceError } from "../domain/errors.ts";
import { buildPlatform } from "../lib/platform.ts";

const app = new App();
try {
  buildPlatform(app, environment(app.node.tryGetContext("env")));
  app.synth();
} catch (error) {
  if (!(error instanceof MillraceError)) throw error;
  process.stderr.write(`${error.code}: ${error.message}\n`);
  process.exitCode = 1;
}
