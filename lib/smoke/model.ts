import { CloudWatchLogsClient } from "@aws-sdk/client-cloudwatch-logs";
import { ECSClient } from "@aws-sdk/client-ecs";
import { MINUTE, type Milliseconds } from "../../domain/time.ts";
import { runOnAws } from "../on-aws/run.ts";
import type { Deployment } from "./deployment.ts";
import { NotTried } from "./table.ts";

/** How long the command may run, once its task has started. */
const LIMIT_MS: Milliseconds = 5 * MINUTE;
/** Lines of its output that are shown when it fails. */
const LAST_LINES = 3;

/** A version in the store of models, as `npm run model -- list` prints it. */
interface ListedModel {
  readonly name: string;
  readonly version: string;
  readonly stage: string;
}
const LISTED = /^(?<name>[a-z0-9-]+) (?<version>[\w.-]+) (?<stage>candidate|shadow|canary|live|unreadable) ?[0-9a-f]*$/;

/** The lines of a list that name a version; the log of a task may have others. */
export function listedModels(output: string): ListedModel[] {
  return output.split("\n").flatMap((line) => {
    const found = LISTED.exec(line.trim())?.groups;
    return found ? [{ name: found["name"]!, version: found["version"]!, stage: found["stage"]! }] : [];
  });
}

/**
 * The promotion that changes nothing: of the shadow, or of the live version where nothing else scores, to what it is;
 * of none where none scores.
 *
 * @throws NotTried where each would change something
 * @throws Error where the store can't tell what scores
 */
export function promotionOf(models: readonly ListedModel[]): string[] {
  const at = (stage: string): ListedModel | undefined => models.find((model) => model.stage === stage);
  const [shadow, canary, live, unreadable] = ["shadow", "canary", "live", "unreadable"].map(at);
  if (unreadable) throw new Error(`${unreadable.name} ${unreadable.version} can't be read in the store of models`);
  if (shadow) return ["promote", shadow.name, shadow.version, "--stage", "shadow"];
  if (canary) throw new NotTried(`${canary.name} ${canary.version} is a canary: any promotion would change its share`);
  return live ? ["promote", live.name, live.version] : ["promote", "none"];
}

/**
 * Promotes, as who is on call, what is promoted already: by a task in the VPC, to every input partition.
 *
 * @throws Error with the command's last lines when it fails
 */
export async function checkPromotion(
  { config, roles }: Pick<Deployment, "config"> & { readonly roles: Pick<Deployment["roles"], "on-call"> },
  { pauseMs }: { readonly pauseMs?: Milliseconds } = {},
): Promise<string> {
  const at = { region: config.region, credentials: roles["on-call"] };
  const [ecs, logs] = [new ECSClient(at), new CloudWatchLogsClient(at)];
  const model = async (...args: readonly string[]): Promise<string> => {
    let output = "";
    const exitCode = await runOnAws({
      ...{ config, ecs, logs, args, pipeline: "sensor", command: "model", limitMs: LIMIT_MS },
      print: async (lines) => void (output += lines),
      say: () => undefined,
      signal: new AbortController().signal,
      ...(pauseMs === undefined ? {} : { pauseMs }),
    });
    if (exitCode === 0) return output;
    const last = output.trimEnd().split("\n").slice(-LAST_LINES).join(" ");
    throw new Error(`npm run on-aws -- model ${args.join(" ")} ended with ${exitCode}: ${last}`);
  };
  const args = promotionOf(listedModels(await model("list")));
  const output = await model(...args);
  const line = output.split("\n").find((text) => text.includes("appended to"));
  if (line === undefined) throw new Error(`model ${args.join(" ")} says nothing of partitions: ${output.slice(-300)}`);
  return `model ${args.join(" ")}: ${line}`;
}
