import { type ECSClient, RunTaskCommand, type RunTaskCommandInput } from "@aws-sdk/client-ecs";
import { OPS_CONTAINER, programOf, type OperatorCommand } from "../../config/operator-commands.ts";
import { MillraceError } from "../../domain/errors.ts";

/** Where an operator's command runs. */
export interface TaskPlace {
  readonly cluster: string;
  /** Family of the task definition. */
  readonly family: string;
  readonly subnets: readonly string[];
  readonly securityGroup: string;
  /** Whether the subnets are public. */
  readonly publicAddress: boolean;
}

/**
 * Starts the task that runs an operator's command, once for a key: ECS knows a key that it was given before.
 *
 * @returns The task's ARN
 * @throws MillraceError `on-aws-failed` when ECS starts nothing, or knows the key from another command
 */
export async function startCommand(
  ecs: Pick<ECSClient, "send">,
  place: TaskPlace,
  command: OperatorCommand,
  args: readonly string[],
  key: string,
): Promise<string> {
  const { tasks = [], failures = [] } = await ecs
    .send(new RunTaskCommand(requestOf(place, command, args, key)))
    .catch((cause: unknown) => {
      if ((cause as Error).name !== "ConflictException") throw cause;
      throw new MillraceError("on-aws-failed", `the key ${key} was used for another command`, { cause });
    });
  const arn = tasks[0]?.taskArn;
  if (arn !== undefined) return arn;
  const reasons = failures.map(({ reason, detail }) => [reason, detail].filter(Boolean).join(": ")).join("; ");
  throw new MillraceError(
    "on-aws-failed",
    `ECS started no task in ${place.cluster}: ${reasons || "it gave no reason"}`,
  );
}

function requestOf(
  { cluster, family, subnets, securityGroup, publicAddress }: TaskPlace,
  command: OperatorCommand,
  args: readonly string[],
  clientToken: string,
): RunTaskCommandInput {
  return {
    cluster,
    taskDefinition: family,
    launchType: "FARGATE",
    count: 1,
    startedBy: "operators-api",
    clientToken,
    networkConfiguration: {
      awsvpcConfiguration: {
        subnets: [...subnets],
        securityGroups: [securityGroup],
        assignPublicIp: publicAddress ? "ENABLED" : "DISABLED",
      },
    },
    overrides: {
      containerOverrides: [
        { name: OPS_CONTAINER, command: [...args], environment: [{ name: "PROGRAM", value: programOf(command) }] },
      ],
    },
    enableECSManagedTags: true,
    propagateTags: "TASK_DEFINITION",
  };
}
