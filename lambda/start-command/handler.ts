import { ECSClient } from "@aws-sdk/client-ecs";
import { createLogger } from "../../adapters/log.ts";
import { OPS_CONTAINER, OPS_TASK } from "../../config/operator-commands.ts";
import { readSettings } from "../../config/settings.ts";
import { MillraceError } from "../../domain/errors.ts";
import { opsFunction } from "../../ops/function.ts";
import { storeOf } from "../../ops/model-store.ts";
import { Models, type ModelsOptions } from "../../ops/models.ts";
import { startCommand } from "./task.ts";

type ModelCommand = Parameters<ModelsOptions["run"]>[0];

const settings = readSettings("startCommand", process.env);
const log = createLogger("start-command", settings.logLevel);
const ecs = new ECSClient({ region: settings.region });
const registry = storeOf(settings);
const place = {
  cluster: settings.ecsCluster,
  family: settings.opsFamily,
  subnets: settings.opsSubnets.split(","),
  securityGroup: settings.opsSecurityGroup,
  publicAddress: settings.opsPublicAddress === "yes",
};
const models = new Models({ registry, newestScores: () => Promise.resolve([]), run });

/** `POST /ops/models`: the task of `npm run on-aws` does what is asked, because a function has no ONNX Runtime. */
export const handler = opsFunction(log, { posts: { "/ops/models": (body, key) => models.change(body, key) } });

async function run(command: ModelCommand, key: string): Promise<string[]> {
  const args = await argumentsOf(command);
  const arn = await startCommand(ecs, place, "model", args, key);
  const stream = `${OPS_TASK}/${OPS_CONTAINER}/${arn.split("/").at(-1)}`;
  return [`npm run model -- ${args.join(" ")} begins in a minute, as ${arn}`, `its log stream is ${stream}`];
}

/** @throws MillraceError `model-refused` for a version that is not in the store */
async function argumentsOf(command: ModelCommand): Promise<string[]> {
  if (command.name !== "promote" && command.name !== "off") throw new Error(`${command.name} is asked for by nobody`);
  const { model, version } = command;
  const stored = await registry.list();
  if (!stored.some((each) => each.name === model && each.version === version))
    throw new MillraceError("model-refused", `there is no model ${model} ${version} in the store`);
  return [command.name, model, version, ...(command.name === "promote" ? ["--stage", command.stage] : [])];
}
