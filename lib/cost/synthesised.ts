import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App } from "aws-cdk-lib";
import type { Environment } from "../../config/schema.ts";
import { root } from "../bundles.ts";
import { buildPlatform } from "../platform/platform.ts";
import type { BilledResource } from "./inventory.ts";

/** The resources of an environment's templates, synthesised as for a deployment. */
export function synthesisedResources(config: Environment): BilledResource[] {
  const outdir = mkdtempSync(join(tmpdir(), "millrace-cost-"));
  try {
    const { context } = JSON.parse(readFileSync(join(root, "cdk.json"), "utf8")) as {
      context: Record<string, unknown>;
    };
    const app = new App({ outdir, context, analyticsReporting: false });
    buildPlatform(app, config);
    const templates = app.synth().stacks.map(({ template }) => template as { Resources: object });
    return templates.flatMap(({ Resources }) => Object.values(Resources) as BilledResource[]);
  } finally {
    rmSync(outdir, { recursive: true, force: true });
  }
}
