/** The CDK app of an environment that no file has: dev with the operators' API. The tests try its functions. */
import { App } from "aws-cdk-lib";
import dev from "../../config/environments/dev.ts";
import { readEnvironment } from "../../config/read-environment.ts";
import { buildPlatform } from "../../lib/platform/platform.ts";

const app = new App();
buildPlatform(app, readEnvironment({ ...dev, operatorsApi: true }));
app.synth();
