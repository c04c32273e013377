/** The role that rehearses dev, for the workflows of a repository. */
import { App } from "aws-cdk-lib";
import { environment } from "../../config/environments/index.ts";
import { buildRehearsal } from "../../lib/platform/platform.ts";

const app = new App();
buildRehearsal(app, { ...environment("dev"), deployer: { repository: "example/millrace" } });
app.synth();
