import {
  ClusterNotFoundException,
  DescribeServicesCommand,
  DescribeTaskDefinitionCommand,
  DescribeTasksCommand,
  type ECSClient,
  RunTaskCommand,
  StopTaskCommand,
  type AwsVpcConfiguration,
  type Task,
} from "@aws-sdk/client-ecs";
import { OPS_CONTAINER, OPS_TASK, programOf, type OperatorCommand } from "../../config/operator-commands.ts";
import type { Environment } from "../../config/schema.ts";
import { programs } from "../../config/settings.ts";
import { MillraceError } from "../../domain/errors.ts";
import type { PipelineName } from "../../domain/pipelines.ts";
import { resourceName } from "../names.ts";

/** ECS takes no more characters of overrides (API reference, TaskOverride). */
const MAX_OVERRIDES = 8_192;

/** What a command is run with. */
export interface OpsCommand {
  readonly config: Environment;
  readonly pipeline: PipelineName;
  readonly command: OperatorCommand;
  readonly args: readonly string[];
}

/** A task that was started, and where its log is. */
export interface StartedTask {
  readonly cluster: string;
  readonly arn: string;
  readonly logGroup: string;
  readonly logStream: string;
}

/**
 * Starts the task of a command: of the environment's `ops` family, with the security group of the pipeline's
 * processors, in the subnets of live, which reach AWS APIs that have no endpoint in the VPC.
 *
 * @throws MillraceError `on-aws-failed` when a part of the environment is not deployed, or ECS starts nothing
 */
export async function startTask(ecs: ECSClient, given: OpsCommand): Promise<StartedTask> {
  const { config, pipeline } = given;
  const cluster = resourceName(config, "cluster");
  const network = await networkOf(ecs, cluster, resourceName(config, "live"));
  const { securityGroups } = await networkOf(ecs, cluster, resourceName(config, `processor-${pipeline}`));
  const log = await logOf(ecs, resourceName(config, OPS_TASK));
  const { tasks = [], failures = [] } = await ecs.send(
    new RunTaskCommand({
      cluster,
      taskDefinition: resourceName(config, OPS_TASK),
      launchType: "FARGATE",
      count: 1,
      startedBy: "npm-run-on-aws",
      networkConfiguration: { awsvpcConfiguration: { ...network, securityGroups } },
      overrides: overridesOf(given),
      enableECSManagedTags: true,
      propagateTags: "TASK_DEFINITION",
    }),
  );
  const arn = tasks[0]?.taskArn;
  if (arn === undefined) {
    const reasons = failures.map(({ reason, detail }) => [reason, detail].filter(Boolean).join(": ")).join("; ");
    throw failed(`ECS started no task in ${cluster}: ${reasons || "it gave no reason"}`);
  }
  return { cluster, arn, logGroup: log.group, logStream: `${log.prefix}/${OPS_CONTAINER}/${arn.split("/").at(-1)}` };
}

/** The network of a service. */
async function networkOf(ecs: ECSClient, cluster: string, service: string): Promise<AwsVpcConfiguration> {
  try {
    const { services = [] } = await ecs.send(new DescribeServicesCommand({ cluster, services: [service] }));
    const network = services[0]?.networkConfiguration?.awsvpcConfiguration;
    if (network && services[0]?.status !== "INACTIVE") return network;
  } catch (cause) {
    if (!(cause instanceof ClusterNotFoundException)) throw cause;
    throw failed(`there is no ECS cluster ${cluster} in this account and region: deploy the environment first`, cause);
  }
  throw failed(`there is no ECS service ${service}: deploy its stack first`);
}

async function logOf(ecs: ECSClient, family: string): Promise<{ readonly group: string; readonly prefix: string }> {
  let options: Record<string, string> | undefined;
  try {
    const { taskDefinition } = await ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition: family }));
    const container = taskDefinition?.containerDefinitions?.find(({ name }) => name === OPS_CONTAINER);
    options = container?.logConfiguration?.options;
  } catch (cause) {
    if ((cause as Error).name !== "ClientException") throw cause;
    throw failed(`there is no task definition ${family}: deploy the stack "operations" first`, cause);
  }
  const { "awslogs-group": group, "awslogs-stream-prefix": prefix } = options ?? {};
  if (group === undefined || prefix === undefined)
    throw failed(`the task definition ${family} has no container ${OPS_CONTAINER} with a log: deploy it again`);
  return { group, prefix };
}

function overridesOf({ config, pipeline, command, args }: OpsCommand) {
  const { logGeneration = 1 } = config.processor[pipeline] ?? {};
  const variables = {
    PROGRAM: programOf(command),
    [programs.processor.pipeline.env]: pipeline,
    [programs.processor.logGeneration.env]: String(logGeneration),
  };
  const environment = Object.entries(variables).map(([name, value]) => ({ name, value }));
  const overrides = { containerOverrides: [{ name: OPS_CONTAINER, command: [...args], environment }] };
  const { length } = JSON.stringify(overrides);
  if (length > MAX_OVERRIDES)
    throw new MillraceError(
      "arguments-invalid",
      `the command has ${length} characters with its variables; ECS takes at most ${MAX_OVERRIDES}`,
    );
  return overrides;
}

/** What ECS says of a task. @throws Error when ECS does not answer, or does not know the task (yet, or any more) */
export async function describeTask(ecs: ECSClient, { cluster, arn }: StartedTask): Promise<Task> {
  const { tasks = [], failures = [] } = await ecs.send(new DescribeTasksCommand({ cluster, tasks: [arn] }));
  if (!tasks[0]) throw new Error(`ECS does not know the task: ${failures[0]?.reason ?? "no reason is given"}`);
  return tasks[0];
}

/** Stops a task; its program gets SIGTERM. */
export async function stopTask(ecs: ECSClient, { cluster, arn }: StartedTask, reason: string): Promise<void> {
  await ecs.send(new StopTaskCommand({ cluster, task: arn, reason }));
}

/** The exit code of a stopped task's container. @throws MillraceError `on-aws-failed` when its program never ran */
export function exitCodeOf({ containers = [], stoppedReason }: Task): number {
  const container = containers.find(({ name }) => name === OPS_CONTAINER);
  if (container?.exitCode !== undefined) return container.exitCode;
  throw failed(`the task ended without an exit code: ${container?.reason ?? stoppedReason ?? "ECS gives no reason"}`);
}

export function failed(message: string, cause?: unknown): MillraceError {
  return new MillraceError("on-aws-failed", message, { cause });
}
